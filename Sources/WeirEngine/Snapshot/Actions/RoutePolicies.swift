/// What a route does besides sending a request on, on the hot path.
///
/// Trivial, like all plans in this folder; borrows from the virtual host's `PlanMemory`.
struct RoutePolicies {
    /// At most one of these two.
    var redirect: UnsafePointer<RedirectPlan>?
    var direct: UnsafePointer<DirectResponsePlan>?
    var cors: UnsafePointer<CORSPlan>?
    var fault: UnsafePointer<FaultPlan>?
    var mirrors: UnsafeBufferPointer<MirrorPlan>
    var rewrite: RewritePlan
    var requestEdits: HeaderEditPlan
    var responseEdits: HeaderEditPlan
}

/// What one of several destinations adds.
struct DestinationPolicies {
    var authority: AuthorityPlan
    var requestEdits: HeaderEditPlan
    var responseEdits: HeaderEditPlan
}

/// An authority that takes the place of the request's; nothing when empty.
struct AuthorityPlan {
    var text: UnsafeRawBufferPointer
    /// Bytes of it before its port's colon.
    var hostLength: Int
}

/// Lines to remove, then lines to set, then lines to add.
struct HeaderEditPlan {
    var edits: UnsafePointer<HeaderEdit>
    var removeCount: Int32
    var setCount: Int32
    var addCount: Int32
    /// Some value holds operators.
    var hasPrograms: Bool
    /// Some value tells of an address of the client's connection.
    var namesConnection: Bool
    /// Some value tells who is at the other end of its socket, whoever it speaks for.
    var namesDirect: Bool

    var isEmpty: Bool { removeCount == 0 && lineCount == 0 }
    var lineCount: Int { Int(setCount + addCount) }
    /// The lines to set and to add.
    var lines: UnsafePointer<HeaderEdit> { edits + Int(removeCount) }
}

/// One of them.
struct HeaderEdit {
    /// Behind the name lie a colon, a space and the value, unless that is made by `program`.
    var header: LogHeaderName
    var valueLength: UInt32
    /// Owned by the memory around it.
    var program: Unmanaged<CompiledLogFormat>?

    var value: UnsafePointer<UInt8> { header.name + Int(header.length) + 2 }
}

struct RedirectPlan {
    enum Path: UInt8 {
        case kept
        case whole
        /// As `whole`, without the request's query.
        case wholeWithQuery
        case prefix
    }

    var status: UInt16
    var path: Path
    /// Bytes of the path that `text` replaces, for `prefix`.
    var prefixLength: Int32
    var text: UnsafeRawBufferPointer
    /// Empty = the request's.
    var scheme: UnsafeRawBufferPointer
    var authority: UnsafeRawBufferPointer
    /// With its colon; empty = none.
    var port: UnsafeRawBufferPointer
}

struct DirectResponsePlan {
    var status: UInt16
    var body: UnsafeRawBufferPointer
}

struct RewritePlan {
    enum Path: UInt8 {
        case kept
        case whole
        case prefix
        case regex
    }

    var path: Path
    var prefixLength: Int32
    var text: UnsafeRawBufferPointer
    /// A `RegexSet`'s, for `regex`.
    var regex: UnsafeRawPointer?
    var authority: AuthorityPlan
}

struct CORSPlan {
    var origins: UnsafePointer<TextMatcher>
    var originCount: Int32
    var allowsEveryOrigin: Bool
    var allowsCredentials: Bool
    var answersUnmatched: Bool
    var methods: UnsafeRawBufferPointer
    var headers: UnsafeRawBufferPointer
    var exposed: UnsafeRawBufferPointer
    var maxAge: UnsafeRawBufferPointer
}

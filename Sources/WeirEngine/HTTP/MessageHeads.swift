/// How a message's body is delimited (RFC 9112 section 6.3).
enum BodyFraming: Equatable {
    case none
    case length(UInt64)
    case chunked
    /// Responses only: the body ends with the connection.
    case untilClose
}

enum Scheme: UInt8 {
    case http
    case https
}

enum HTTPVersion: UInt8 {
    case http10
    case http11
    case http2
}

/// Methods Weir treats specially; the bytes are always kept too.
enum MethodToken: UInt8 {
    case other = 0
    case get
    case head
    case post
    case put
    case delete
    case options
    case patch
    case connect
    case trace
}

extension MethodToken {
    /// Whether a request of this method usually has a body, or may: then one without says so (RFC 9110 section 8.6).
    var mayHaveBody: Bool {
        switch self {
        case .get, .head, .delete, .connect, .trace: false
        case .post, .put, .options, .patch, .other: true
        }
    }

    /// Whether doing it twice is meant to be the same as doing it once (RFC 9110 section 9.2.2).
    ///
    /// What is not known here is taken for what is not.
    var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }

    /// The token of a method's bytes; `nil` for names that are no method.
    ///
    /// Methods are those Istio's gateway takes, upper-case: the registered ones in use, and those of WebDAV.
    static func lookup(_ name: UnsafePointer<UInt8>, length: Int) -> MethodToken? {
        switch length {
        case 3 where ASCII.equals(name, "GET"): .get
        case 3 where ASCII.equals(name, "PUT"): .put
        case 4 where ASCII.equals(name, "POST"): .post
        case 4 where ASCII.equals(name, "HEAD"): .head
        case 5 where ASCII.equals(name, "PATCH"): .patch
        case 5 where ASCII.equals(name, "TRACE"): .trace
        case 6 where ASCII.equals(name, "DELETE"): .delete
        case 7 where ASCII.equals(name, "OPTIONS"): .options
        case 7 where ASCII.equals(name, "CONNECT"): .connect
        default: isRarer(name, length) ? .other : nil
        }
    }

    private static func isRarer(_ name: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let name = UnsafeRawBufferPointer(start: name, count: length)
        func isOne(_ left: StaticString, _ right: StaticString) -> Bool {
            ASCII.equals(name, left) || ASCII.equals(name, right)
        }
        return switch length {
        case 3: ASCII.equals(name, "ACL")
        case 4: isOne("BIND", "COPY") || isOne("LINK", "LOCK") || ASCII.equals(name, "MOVE")
        case 5: isOne("MERGE", "MKCOL") || ASCII.equals(name, "PURGE")
        case 6:
            isOne("NOTIFY", "REBIND") || isOne("REPORT", "SEARCH") || isOne("SOURCE", "UNBIND")
                || isOne("UNLINK", "UNLOCK")
        case 8: isOne("CHECKOUT", "M-SEARCH") || ASCII.equals(name, "PROPFIND")
        case 9: isOne("PROPPATCH", "SUBSCRIBE")
        case 10: isOne("MKACTIVITY", "MKCALENDAR")
        case 11: ASCII.equals(name, "UNSUBSCRIBE")
        default: false
        }
    }
}

/// A request's start line and headers.
///
/// A bare handle, so that passing it on costs no counting: pooled by `ServerHost`, whose `take` and `recycle` are balanced by
/// hand; one made by `init` is given back by `free`. All pointers lead into `backing` (or into the block's arena) and die with
/// `reset`. Says nothing sound when a parser has refused it.
struct RequestHead {
    private struct Fields: ~Copyable {
        var block = HeaderBlock()
        var backing: ByteSlice?
        var method: MethodToken = .other
        var methodBytes: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
        var target: UnsafeMutableRawBufferPointer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        var originalTarget: UnsafeRawBufferPointer?
        var pathLength: Int = 0
        var authority: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
        var hostLength: Int = 0
        var scheme: Scheme = .http
        var version: HTTPVersion = .http11
        var framing: BodyFraming = .none
        var keepAlive: Bool = true
        var expectsContinue: Bool = false
        var wantsUpgrade: Bool = false
        var wantsOtherProtocol: Bool = false
        var isGRPC: Bool = false
        var isGRPCWeb: Bool = false
    }

    private let fields: UnsafeMutablePointer<Fields>

    init() {
        fields = .allocate(capacity: 1)
        fields.initialize(to: Fields())
    }

    /// Ends the head's life.
    func free() {
        fields.deinitialize(count: 1)
        fields.deallocate()
    }

    var block: HeaderBlock {
        _read { yield fields.pointee.block }
        nonmutating _modify { yield &fields.pointee.block }
    }
    /// Keeps the received bytes alive.
    var backing: ByteSlice? {
        _read { yield fields.pointee.backing }
        nonmutating _modify { yield &fields.pointee.backing }
    }
    var method: MethodToken {
        get { fields.pointee.method }
        nonmutating set { fields.pointee.method = newValue }
    }
    var methodBytes: UnsafeRawBufferPointer {
        get { fields.pointee.methodBytes }
        nonmutating set { fields.pointee.methodBytes = newValue }
    }
    /// Path and query as they go upstream: normalised in place, then rewritten as the route says.
    var target: UnsafeMutableRawBufferPointer {
        get { fields.pointee.target }
        nonmutating set { fields.pointee.target = newValue }
    }
    /// Path and query before a route rewrote them; `nil` when none did.
    var originalTarget: UnsafeRawBufferPointer? {
        get { fields.pointee.originalTarget }
        nonmutating set { fields.pointee.originalTarget = newValue }
    }
    /// Bytes of `target` before the `?`.
    var pathLength: Int {
        get { fields.pointee.pathLength }
        nonmutating set { fields.pointee.pathLength = newValue }
    }
    /// Host as received (absolute-form: the target's), port included, case kept.
    var authority: UnsafeRawBufferPointer {
        get { fields.pointee.authority }
        nonmutating set { fields.pointee.authority = newValue }
    }
    /// Bytes of `authority` before its port's colon.
    var hostLength: Int {
        get { fields.pointee.hostLength }
        nonmutating set { fields.pointee.hostLength = newValue }
    }
    var scheme: Scheme {
        get { fields.pointee.scheme }
        nonmutating set { fields.pointee.scheme = newValue }
    }
    var version: HTTPVersion {
        get { fields.pointee.version }
        nonmutating set { fields.pointee.version = newValue }
    }
    var framing: BodyFraming {
        get { fields.pointee.framing }
        nonmutating set { fields.pointee.framing = newValue }
    }
    /// The peer wants the connection kept after this exchange.
    var keepAlive: Bool {
        get { fields.pointee.keepAlive }
        nonmutating set { fields.pointee.keepAlive = newValue }
    }
    var expectsContinue: Bool {
        get { fields.pointee.expectsContinue }
        nonmutating set { fields.pointee.expectsContinue = newValue }
    }
    /// A tunnel is asked for, for a WebSocket (RFC 6455 section 4.1, RFC 8441 section 4).
    var wantsUpgrade: Bool {
        get { fields.pointee.wantsUpgrade }
        nonmutating set { fields.pointee.wantsUpgrade = newValue }
    }
    /// A change is asked for to a protocol that connections are not given to; h2c does not count, which is ignored.
    var wantsOtherProtocol: Bool {
        get { fields.pointee.wantsOtherProtocol }
        nonmutating set { fields.pointee.wantsOtherProtocol = newValue }
    }
    /// Content type is `application/grpc` or `application/grpc+...`.
    var isGRPC: Bool {
        get { fields.pointee.isGRPC }
        nonmutating set { fields.pointee.isGRPC = newValue }
    }
    /// Content type is one of gRPC-Web's.
    var isGRPCWeb: Bool {
        get { fields.pointee.isGRPCWeb }
        nonmutating set { fields.pointee.isGRPCWeb = newValue }
    }

    var path: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: target[..<pathLength]) }
    /// The authority without its port.
    var host: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: authority[..<hostLength]) }
    /// Behind the `?`, or empty.
    var query: UnsafeRawBufferPointer {
        guard pathLength < target.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: target[(pathLength + 1)...])
    }

    /// Forgets everything, for the next message.
    func reset() {
        fields.pointee.block.reset()
        fields.pointee.backing = nil
        fields.pointee.method = .other
        fields.pointee.methodBytes = UnsafeRawBufferPointer(start: nil, count: 0)
        fields.pointee.target = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        fields.pointee.originalTarget = nil
        fields.pointee.pathLength = 0
        fields.pointee.authority = UnsafeRawBufferPointer(start: nil, count: 0)
        fields.pointee.hostLength = 0
        fields.pointee.scheme = .http
        fields.pointee.version = .http11
        fields.pointee.framing = .none
        fields.pointee.keepAlive = true
        fields.pointee.expectsContinue = false
        fields.pointee.wantsUpgrade = false
        fields.pointee.wantsOtherProtocol = false
        fields.pointee.isGRPC = false
        fields.pointee.isGRPCWeb = false
    }
}

/// A response's status line and headers.
///
/// A bare handle, so that passing it on costs no counting: pooled by `ServerHost`, whose `take` and `recycle` are balanced by
/// hand; one made by `init` is given back by `free`. All pointers lead into `backing` (or into the block's arena) and die with
/// `reset`.
struct ResponseHead {
    private struct Fields: ~Copyable {
        var block = HeaderBlock()
        var backing: ByteSlice?
        var status: Int = 0
        var reason: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
        var minorVersion: UInt8 = 1
        var framing: BodyFraming = .none
        var keepAlive: Bool = true
        var hasGRPCStatus = false
    }

    private let fields: UnsafeMutablePointer<Fields>

    init() {
        fields = .allocate(capacity: 1)
        fields.initialize(to: Fields())
    }

    /// Ends the head's life.
    func free() {
        fields.deinitialize(count: 1)
        fields.deallocate()
    }

    var block: HeaderBlock {
        _read { yield fields.pointee.block }
        nonmutating _modify { yield &fields.pointee.block }
    }
    /// Keeps the received bytes alive.
    var backing: ByteSlice? {
        _read { yield fields.pointee.backing }
        nonmutating _modify { yield &fields.pointee.backing }
    }
    var status: Int {
        get { fields.pointee.status }
        nonmutating set { fields.pointee.status = newValue }
    }
    var reason: UnsafeRawBufferPointer {
        get { fields.pointee.reason }
        nonmutating set { fields.pointee.reason = newValue }
    }
    var minorVersion: UInt8 {
        get { fields.pointee.minorVersion }
        nonmutating set { fields.pointee.minorVersion = newValue }
    }
    var framing: BodyFraming {
        get { fields.pointee.framing }
        nonmutating set { fields.pointee.framing = newValue }
    }
    /// The upstream connection may carry another request after this one.
    var keepAlive: Bool {
        get { fields.pointee.keepAlive }
        nonmutating set { fields.pointee.keepAlive = newValue }
    }

    /// A line `grpc-status` is among the headers: an answer in gRPC that ends with its head.
    var hasGRPCStatus: Bool {
        get { fields.pointee.hasGRPCStatus }
        nonmutating set { fields.pointee.hasGRPCStatus = newValue }
    }

    /// A 101 that changes to the one protocol that is asked for.
    var namesWebSocket: Bool {
        var names = 0
        for field in block.lines where field.token == .upgrade {
            guard ASCII.equalsCaseless(field.value, count: Int(field.valueLength), "websocket") else { return false }
            names += 1
        }
        return names == 1
    }

    /// 1xx other than 101: another head follows.
    var isInformational: Bool { status < 200 && status != 101 }

    /// Forgets everything, for the next message.
    func reset() {
        fields.pointee.block.reset()
        fields.pointee.backing = nil
        fields.pointee.status = 0
        fields.pointee.reason = UnsafeRawBufferPointer(start: nil, count: 0)
        fields.pointee.minorVersion = 1
        fields.pointee.framing = .none
        fields.pointee.keepAlive = true
        fields.pointee.hasGRPCStatus = false
    }
}

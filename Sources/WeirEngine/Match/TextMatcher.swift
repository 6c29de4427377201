/// A `MatchCondition.Pattern` in bytes: a trivial value whose bytes belong to the `RouteTable` around it.
struct TextMatcher {
    enum Kind: UInt8 {
        case present
        case exact
        case prefix
        case exactFolded
        case prefixFolded
        case regex
    }

    /// The text to compare with (lower-case for the folded kinds), or a `RegexSet`'s handles.
    let bytes: UnsafeRawPointer
    let count: Int32
    let kind: Kind

    func matches(_ text: UnsafeRawBufferPointer, worker: Int) -> Bool {
        let length = Int(count)
        switch kind {
        case .present: return true
        case .exact: return text.count == length && Self.equal(text, bytes, length)
        case .prefix: return text.count >= length && Self.equal(text, bytes, length)
        case .exactFolded: return text.count == length && Self.equalFolded(text, bytes, length)
        case .prefixFolded: return text.count >= length && Self.equalFolded(text, bytes, length)
        case .regex: return RegexProgram.matches(bytes, worker: worker, text)
        }
    }

    @inline(__always)
    private static func equal(_ text: UnsafeRawBufferPointer, _ bytes: UnsafeRawPointer, _ length: Int) -> Bool {
        guard let start = text.baseAddress else { return length == 0 }
        return CaseFold.equal(start, bytes, length)
    }

    private static func equalFolded(
        _ text: UnsafeRawBufferPointer, _ bytes: UnsafeRawPointer, _ length: Int
    ) -> Bool {
        guard let start = text.baseAddress else { return length == 0 }
        return CaseFold.equalFolded(start, lower: bytes, length)
    }
}

/// A `MatchCondition` in bytes.
///
/// Trivial; borrows from the `RouteTable` around it.
struct RouteCondition {
    enum Subject: UInt8 {
        case path
        case method
        case scheme
        case authority
        case header
        case query
    }

    let text: TextMatcher
    /// Header or parameter name.
    let name: UnsafeRawPointer
    let nameLength: UInt32
    let subject: Subject
    let negated: Bool

    func holds(_ request: UnsafePointer<RouteQuery>) -> Bool {
        compare(request) != negated
    }

    private func compare(_ request: UnsafePointer<RouteQuery>) -> Bool {
        let worker = request.pointee.worker
        switch subject {
        case .path: return text.matches(request.pointee.path, worker: worker)
        case .method: return text.matches(request.pointee.method, worker: worker)
        case .authority: return text.matches(request.pointee.authority, worker: worker)
        case .scheme:
            let scheme: StaticString = request.pointee.scheme == .https ? "https" : "http"
            let bytes = UnsafeRawBufferPointer(start: scheme.utf8Start, count: scheme.utf8CodeUnitCount)
            return text.matches(bytes, worker: worker)
        case .header: return anyLineMatches(request)
        case .query:
            var parameters = QueryParameters(request.pointee.query)
            while let parameter = parameters.next() {
                if isName(parameter.name) { return text.matches(parameter.value, worker: worker) }
            }
            return false
        }
    }

    private func anyLineMatches(_ request: UnsafePointer<RouteQuery>) -> Bool {
        let fields = request.pointee.fields
        for index in 0..<request.pointee.fieldCount {
            let field = fields + index
            guard field.pointee.nameLength == nameLength, CaseFold.equal(field.pointee.name, name, Int(nameLength)),
                text.matches(field.pointee.valueBytes, worker: request.pointee.worker)
            else { continue }
            return true
        }
        return false
    }

    private func isName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count == Int(nameLength) else { return false }
        guard let start = bytes.baseAddress else { return true }
        return CaseFold.equal(start, name, bytes.count)
    }
}

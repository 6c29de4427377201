import Glibc

/// One pass over the bytes of a request head (RFC 9112 sections 2 to 5).
struct H1RequestReader {
    private typealias Bytes = UnsafeMutablePointer<UInt8>

    private let start: UnsafeMutablePointer<UInt8>
    private let end: UnsafeMutablePointer<UInt8>
    private let limits: H1Limits
    private let scheme: Scheme
    private let acceptsHTTP10: Bool
    private var minorVersion: UInt8 = 1
    private var next: UnsafeMutablePointer<UInt8>

    private var method = MethodToken.other
    private var methodStart: UnsafeMutablePointer<UInt8>
    private var methodLength = 0
    private var targetStart: UnsafeMutablePointer<UInt8>
    private var targetLength = 0
    /// Bytes before the `?`.
    private var pathLength = 0
    /// Something in the path may need normalising.
    private var needsLook = false
    /// A sound request that Weir does not serve: said when the head is complete, so that a client can read the answer.
    private var refusal: H1Error?

    init(bytes: UnsafeMutablePointer<UInt8>, count: Int, limits: H1Limits, scheme: Scheme, acceptsHTTP10: Bool) {
        start = bytes
        end = bytes + count
        next = bytes
        methodStart = bytes
        targetStart = bytes
        self.limits = limits
        self.scheme = scheme
        self.acceptsHTTP10 = acceptsHTTP10
    }

    mutating func read(into head: RequestHead) -> H1ParseResult {
        switch readRequestLine() {
        case .done: break
        case .needMore: return .needMore
        case .failed(let error): return .failed(error)
        }
        let fields = head.block.fields
        var lines = H1FieldReader(from: next, to: end, into: fields, maxLines: limits.maxHeaderLines)
        switch lines.read() {
        case .done: break
        case .needMore: return .needMore
        case .failed(let error): return .failed(error)
        }
        lines.framing.removeNamed(fields, count: lines.count)
        head.block.commit(count: lines.count)
        if let error = finish(head, lines.framing) { return .failed(error) }
        return .complete(consumed: lines.next - start)
    }

    // MARK: The request line

    private mutating func readRequestLine() -> H1Progress {
        while next < end, next.pointee == ASCII.carriageReturn {
            guard end - next >= 2 else { return .needMore }
            guard next[1] == ASCII.lineFeed, next - start < 2 * H1Limits.maxLeadingEmptyLines else {
                return .failed(.malformed)
            }
            next += 2
        }
        switch readMethod() {
        case .done: break
        case let other: return other
        }
        switch readTarget() {
        case .done: break
        case let other: return other
        }
        return readVersion()
    }

    private mutating func readMethod() -> H1Progress {
        methodStart = next
        let stop = min(end, next + H1Limits.maxMethodBytes + 1)
        while next < stop, ASCII.isUpper(next.pointee) || next.pointee == UInt8(ascii: "-") { next += 1 }
        methodLength = next - methodStart
        guard next < end else { return methodLength > H1Limits.maxMethodBytes ? .failed(.malformed) : .needMore }
        guard next.pointee == ASCII.space, let token = MethodToken.lookup(methodStart, length: methodLength) else {
            return .failed(.malformed)
        }
        method = token
        next += 1
        return .done
    }

    private mutating func readTarget() -> H1Progress {
        let classes = ASCII.targetTable
        targetStart = next
        var at = next
        var query: Bytes?
        while at < end {
            let kind = classes[Int(at.pointee)]
            if kind != 0 {
                if kind == ASCII.targetEnd { break }
                if kind == ASCII.targetQuery {
                    query = query ?? at
                } else if query == nil || at.pointee == ASCII.hash {
                    needsLook = true
                }
            }
            at += 1
        }
        next = at
        targetLength = at - targetStart
        pathLength = (query ?? at) - targetStart
        guard at < end else { return .needMore }
        guard targetLength > 0 else { return .failed(.malformed) }
        if at.pointee == ASCII.space {
            next += 1
            return .done
        }
        // A line without a version is HTTP/0.9, which has no fields: there is no more to wait for.
        guard at.pointee == ASCII.carriageReturn else { return .failed(.malformed) }
        guard end - at >= 2 else { return .needMore }
        return .failed(at[1] == ASCII.lineFeed ? .versionTooLow : .malformed)
    }

    private mutating func readVersion() -> H1Progress {
        let lineEnd = next + 8
        if end - next >= 10, ASCII.equals(next, "HTTP/1.1\r\n") {
            next = lineEnd + 2
            return .done
        }
        let text: StaticString = "HTTP/"
        let wanted = min(end - next, text.utf8CodeUnitCount)
        guard memcmp(next, text.utf8Start, wanted) == 0 else { return .failed(.malformed) }
        guard end - next >= 10 else { return .needMore }
        guard ASCII.isDigit(next[5]), next[6] == ASCII.dot, ASCII.isDigit(next[7]) else { return .failed(.malformed) }
        guard lineEnd[0] == ASCII.carriageReturn, lineEnd[1] == ASCII.lineFeed else { return .failed(.malformed) }
        let (major, minor) = (next[5] - ASCII.zero, next[7] - ASCII.zero)
        if major == 1, minor == 0, acceptsHTTP10 {
            minorVersion = 0
        } else {
            refusal = major == 0 || (major == 1 && minor == 0) ? .versionTooLow : .versionNotSupported
        }
        next = lineEnd + 2
        return .done
    }

    // MARK: The whole

    /// Judges the complete head and fills in what follows from it.
    private mutating func finish(_ head: RequestHead, _ framing: H1Framing) -> H1Error? {
        if let refusal { return refusal }
        guard let bodyFraming = framing.requestFraming() else { return .malformed }
        if minorVersion == 0, let error = settleHTTP10(head, bodyFraming) { return error }
        guard !framing.hasTwoHosts else { return .malformed }
        if framing.hostIndex >= 0 {
            let host = head.block.fields + Int(framing.hostIndex)
            guard let length = H1Authority.hostLength(host.pointee.valueBytes) else { return .malformed }
            head.authority = host.pointee.valueBytes
            head.hostLength = length
        } else if minorVersion > 0 || isOriginForm {
            // Exactly one Host, whatever the target says (RFC 9112 section 3.2); 1.0 has none, so its target may say it.
            return .missingHost
        }
        if let error = settleTarget(head, framing.hostIndex) { return error }

        head.method = method
        head.methodBytes = UnsafeRawBufferPointer(start: methodStart, count: methodLength)
        head.target = UnsafeMutableRawBufferPointer(start: targetStart, count: targetLength)
        head.pathLength = pathLength
        head.scheme = scheme
        head.version = minorVersion == 0 ? .http10 : .http11
        head.framing = bodyFraming
        head.keepAlive = framing.keepsAlive(minorVersion: minorVersion)
        head.expectsContinue = minorVersion > 0 && framing.expectsContinue
        if framing.listsUpgrade, minorVersion > 0 { settleUpgrade(head, framing) }
        head.isGRPC = framing.isGRPC
        head.isGRPCWeb = framing.isGRPCWeb
        return nil
    }

    /// What an HTTP/1.0 request cannot have: a coding is faulty framing (RFC 9112 section 6.1), an expectation is none
    /// (RFC 9110 section 10.1.1).
    private func settleHTTP10(_ head: RequestHead, _ framing: BodyFraming) -> H1Error? {
        guard framing != .chunked else { return .malformed }
        head.block.remove(.expect)
        return nil
    }

    /// A WebSocket begins with a GET that has no body (RFC 6455 section 4.1); with any other request the wish is passed over,
    /// as every server may (RFC 9110 section 7.8).
    private func settleUpgrade(_ head: RequestHead, _ framing: H1Framing) {
        head.wantsUpgrade = framing.asksForWebSocket && method == .get && head.framing.isEmpty
        head.wantsOtherProtocol = framing.asksForOtherProtocol
    }

    private var isOriginForm: Bool { targetStart.pointee == ASCII.slash }

    /// Brings the target into origin form (RFC 9112 section 3.2) and normalises its path.
    private mutating func settleTarget(_ head: RequestHead, _ hostIndex: Int32) -> H1Error? {
        if method == .connect { return .connectMethod }
        if !isOriginForm {
            if targetLength == 1, targetStart.pointee == UInt8(ascii: "*") {
                return method == .options ? .asteriskTarget : .malformed
            }
            if let error = settleAbsoluteForm(head) { return error }
            // What routes match, and what goes upstream, is one authority.
            if hostIndex >= 0 {
                let host = head.block.fields + Int(hostIndex)
                host.pointee.value = UnsafePointer(head.authority.baseAddress!.assumingMemoryBound(to: UInt8.self))
                host.pointee.valueLength = UInt32(truncatingIfNeeded: head.authority.count)
            }
        }
        guard needsLook else { return nil }
        guard let lengths = PathNormalization.apply(targetStart, count: targetLength) else { return .badPath }
        pathLength = lengths.path
        targetLength = lengths.target
        return nil
    }

    /// `http://authority/path`: the authority replaces Host's, the rest becomes the target (RFC 9112 section 3.2.2).
    private mutating func settleAbsoluteForm(_ head: RequestHead) -> H1Error? {
        let secure = ASCII.startsCaseless(targetStart, count: targetLength, "https://")
        guard secure || ASCII.startsCaseless(targetStart, count: targetLength, "http://") else { return .malformed }
        if secure, scheme == .http { return .schemeMismatch }
        var authority = targetStart + (secure ? 8 : 7)
        let targetEnd = targetStart + targetLength
        var path = authority
        while path < targetEnd, !H1Authority.ends(at: path.pointee) { path += 1 }
        let length = path - authority
        guard let hostLength = H1Authority.hostLength(UnsafeRawBufferPointer(start: authority, count: length)) else {
            return .malformed
        }
        if path == targetEnd || path.pointee != ASCII.slash {
            // No path means "/". The authority moves a byte into the scheme's slashes and leaves its last one for it.
            memmove(authority - 1, authority, length)
            authority -= 1
            path -= 1
            path.pointee = ASCII.slash
        }
        head.authority = UnsafeRawBufferPointer(start: authority, count: length)
        head.hostLength = hostLength
        targetStart = path
        targetLength = targetEnd - path
        settlePathLength()
        return nil
    }

    private mutating func settlePathLength() {
        let query = memchr(targetStart, Int32(ASCII.question), targetLength)
        pathLength = query.map { UnsafeRawPointer($0) - UnsafeRawPointer(targetStart) } ?? targetLength
    }
}

/// The host and port a request is for (RFC 3986 section 3.2, RFC 9110 section 4.2): no user, never empty.
enum H1Authority {
    /// What stands behind an authority in an absolute URI.
    static func ends(at byte: UInt8) -> Bool {
        byte == ASCII.slash || byte == ASCII.question || byte == ASCII.hash
    }

    /// Length of the host in `host [":" port]`, or `nil` when that is not what the bytes are.
    static func hostLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let first = bytes.first else { return nil }
        let host = first == ASCII.openBracket ? literalLength(bytes) : nameLength(bytes)
        guard let host, host > 0 else { return nil }
        if host == bytes.count { return host }
        guard bytes[host] == ASCII.colon, bytes.count - host - 1 <= 5 else { return nil }
        var port = 0
        for index in (host + 1)..<bytes.count {
            guard ASCII.isDigit(bytes[index]) else { return nil }
            port = port * 10 + Int(bytes[index] - ASCII.zero)
        }
        return port <= 65_535 ? host : nil
    }

    /// Length of a registered name or IPv4 address: up to the first byte that neither may hold.
    ///
    /// Commas and escapes, though in the grammar, are refused: two hosts joined to a list, and a second spelling of one
    /// host, serve only confusion.
    private static func nameLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let table = ASCII.hostTable
        var length = 0
        while length < bytes.count, table[Int(bytes[length])] != 0 { length += 1 }
        return length
    }

    /// `[` IPv6 address `]`.
    private static func literalLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 1
        while index < bytes.count, bytes[index] != ASCII.closeBracket {
            let byte = bytes[index]
            guard ASCII.hexValue(byte) != nil || byte == ASCII.colon || byte == ASCII.dot else { return nil }
            index += 1
        }
        guard index < bytes.count, isAddress(bytes, 1..<index) else { return nil }
        return index + 1
    }

    /// Whether the bytes are an IPv6 address: several spellings of one are left, but nothing that is none.
    private static func isAddress(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        guard range.count < INET6_ADDRSTRLEN else { return false }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: range.count + 1) { text in
            for (place, index) in range.enumerated() { text[place] = CChar(bitPattern: bytes[index]) }
            text[range.count] = 0
            var address = in6_addr()
            return inet_pton(AF_INET6, text.baseAddress, &address) == 1
        }
    }
}

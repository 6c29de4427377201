import Glibc

/// What a head's fields say about its framing and its hop (RFC 9112 sections 6, 7 and 9), and the decisions made of it.
struct H1Framing {
    /// More options than this in `Connection` are refused: each costs a look at every field.
    static let maxConnectionOptions = 32
    /// Longest `Content-Length`: 18 digits are below 10^18, which no counter overflows.
    static let maxLengthDigits = 18

    private(set) var hostIndex: Int32 = -1
    private var lengthIndex: Int32 = -1
    private var length: UInt64 = 0
    private var isChunked = false
    private var options: Int32 = 0
    private var namesFields = false
    private var wantsClose = false
    private var wantsKeepAlive = false
    /// `Connection` lists `upgrade`: what `Upgrade` names is meant (RFC 9110 section 7.8).
    private(set) var listsUpgrade = false
    private var namedUpgrade = NamedUpgrade.none
    private(set) var expectsContinue = false
    private(set) var isGRPC = false
    private(set) var isGRPCWeb = false
    private(set) var hasGRPCStatus = false
    private(set) var hasTwoHosts = false

    // MARK: Kinds of fields

    /// What the lines `Upgrade` name.
    private enum NamedUpgrade {
        case none
        /// Asked for by clients that speak HTTP/2 as well; they take HTTP/1.1 for an answer.
        case h2c
        case webSocket
        /// Something else, or more than one protocol.
        case other
    }

    private static func bit(_ token: HeaderName) -> UInt64 { 1 << UInt64(token.rawValue) }

    /// Whether a field is meant for the next hop only (RFC 9110 section 7.6.1); `TE` is judged by its value.
    @inline(__always)  // a bit test on the parser's path
    static func isHopByHop(_ token: HeaderName) -> Bool {
        let mask =
            bit(.connection) | bit(.http2Settings) | bit(.keepAlive) | bit(.proxyConnection) | bit(.te)
            | bit(.transferEncoding) | bit(.upgrade)
        return mask & bit(token) != 0
    }

    /// Whether `note` wants to see a field.
    @inline(__always)  // as above
    static func isOfInterest(_ token: HeaderName) -> Bool {
        let mask =
            bit(.connection) | bit(.contentLength) | bit(.contentType) | bit(.expect) | bit(.grpcStatus)
            | bit(.host) | bit(.te) | bit(.transferEncoding) | bit(.upgrade)
        return mask & bit(token) != 0
    }

    // MARK: Gathering

    /// Takes note of line `index`; an error means the head is refused.
    mutating func note(_ fields: UnsafeMutablePointer<HeaderField>, _ index: Int) -> H1Error? {
        let value = fields[index].valueBytes
        switch fields[index].token {
        case .host:
            hasTwoHosts = hasTwoHosts || hostIndex >= 0
            hostIndex = Int32(index)
        case .contentLength:
            // Even equal values are refused when repeated (RFC 9110 section 8.6 leaves the choice).
            guard lengthIndex < 0, let number = Self.contentLength(value) else { return .malformed }
            lengthIndex = Int32(index)
            length = number
        case .transferEncoding:
            guard !isChunked else { return .malformed }
            // Nothing but the one coding every recipient must know (RFC 9112 section 7).
            guard Self.equals(value, "chunked") else { return .unsupportedTransferCoding }
            isChunked = true
        case .connection:
            return noteConnection(value)
        case .upgrade:
            noteUpgrade(value)
        case .expect:
            expectsContinue = expectsContinue || Self.equals(value, "100-continue")
        case .contentType:
            noteContentType(value)
        case .grpcStatus:
            hasGRPCStatus = true
        case .te:
            keepTrailers(&fields[index])
        default:
            break
        }
        return nil
    }

    private mutating func noteUpgrade(_ value: UnsafeRawBufferPointer) {
        if value.isEmpty { return }
        if namedUpgrade != .none {
            namedUpgrade = .other
        } else if Self.equals(value, "websocket") {
            namedUpgrade = .webSocket
        } else {
            namedUpgrade = Self.equals(value, "h2c") ? .h2c : .other
        }
    }

    private mutating func noteConnection(_ value: UnsafeRawBufferPointer) -> H1Error? {
        var list = TokenList(value)
        while let option = list.next() {
            options += 1
            if options > Self.maxConnectionOptions { return .malformed }
            if Self.equals(option, "close") {
                wantsClose = true
            } else if Self.equals(option, "keep-alive") {
                wantsKeepAlive = true
            } else {
                listsUpgrade = listsUpgrade || Self.equals(option, "upgrade")
                namesFields = true
            }
        }
        return list.isMalformed ? .malformed : nil
    }

    /// The one value of TE that concerns the whole path (RFC 9110 section 10.1.4); the line stays with just that.
    private func keepTrailers(_ field: inout HeaderField) {
        let bytes = field.valueBytes
        var start = 0
        // Other elements may carry weights, so this is no list of bare tokens.
        for end in 0...bytes.count where end == bytes.count || bytes[end] == ASCII.comma {
            defer { start = end + 1 }
            guard Self.equals(Self.trimmed(bytes, start, end), "trailers") else { continue }
            let text: StaticString = "trailers"
            field.value = text.utf8Start
            field.valueLength = UInt32(text.utf8CodeUnitCount)
            field.removed = false
            return
        }
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        var (from, to) = (start, end)
        while from < to, ASCII.isBlank(bytes[from]) { from += 1 }
        while to > from, ASCII.isBlank(bytes[to - 1]) { to -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[from..<to])
    }

    private static func equals(_ value: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard let bytes = value.baseAddress else { return false }
        return ASCII.equalsCaseless(bytes.assumingMemoryBound(to: UInt8.self), count: value.count, text)
    }

    /// 1*DIGIT (RFC 9110 section 8.6); no sign, no list, no blank inside.
    private static func contentLength(_ value: UnsafeRawBufferPointer) -> UInt64? {
        guard value.count > 0, value.count <= maxLengthDigits else { return nil }
        var number: UInt64 = 0
        for byte in value {
            guard ASCII.isDigit(byte) else { return nil }
            number = number * 10 + UInt64(byte - ASCII.zero)
        }
        return number
    }

    private mutating func noteContentType(_ value: UnsafeRawBufferPointer) {
        isGRPC = false
        isGRPCWeb = false
        let type: StaticString = "application/grpc"
        guard let bytes = value.baseAddress?.assumingMemoryBound(to: UInt8.self),
            ASCII.startsCaseless(bytes, count: value.count, type)
        else { return }
        isGRPC = value.count == type.utf8CodeUnitCount || bytes[type.utf8CodeUnitCount] == UInt8(ascii: "+")
        isGRPCWeb = !isGRPC && GRPCWebCall.kind(value) != nil
    }

    // MARK: Deciding

    /// How a request's body is delimited (RFC 9112 section 6.3); `nil` when two fields say it.
    func requestFraming() -> BodyFraming? {
        if isChunked { return lengthIndex < 0 ? .chunked : nil }
        return lengthIndex < 0 ? BodyFraming.none : .length(length)
    }

    /// How a response's body is delimited; `nil` when the fields contradict each other or the version.
    func responseFraming(status: Int, requestMethod: MethodToken, minorVersion: UInt8) -> BodyFraming? {
        // A coding in HTTP/1.0 is faulty framing (section 6.1).
        if isChunked, lengthIndex >= 0 || minorVersion == 0 { return nil }
        if requestMethod == .head || status < 200 || status == 204 || status == 304 { return BodyFraming.none }
        if isChunked { return .chunked }
        return lengthIndex < 0 ? .untilClose : .length(length)
    }

    /// Whether the connection outlives the exchange (section 9.3).
    func keepsAlive(minorVersion: UInt8) -> Bool { !wantsClose && (minorVersion > 0 || wantsKeepAlive) }

    /// The one protocol that connections are given to.
    var asksForWebSocket: Bool { listsUpgrade && namedUpgrade == .webSocket }
    var asksForOtherProtocol: Bool { listsUpgrade && namedUpgrade == .other }

    /// Drops the fields that `Connection` names (RFC 9110 section 7.6.1).
    ///
    /// A name with a token of its own is end to end whatever a peer claims: nobody removes a host, a length, a cookie
    /// or a forwarded address this way.
    func removeNamed(_ fields: UnsafeMutablePointer<HeaderField>, count: Int) {
        guard namesFields else { return }
        for line in 0..<count where fields[line].token == .connection {
            var list = TokenList(fields[line].valueBytes)
            while let option = list.next() {
                for index in 0..<count where fields[index].token == .other {
                    guard Int(fields[index].nameLength) == option.count, let name = option.baseAddress else { continue }
                    if ASCII.equalsCaseless(
                        fields[index].name, name.assumingMemoryBound(to: UInt8.self), count: option.count)
                    {
                        fields[index].removed = true
                    }
                }
            }
        }
    }
}

/// The elements of a comma-separated list of tokens (RFC 9110 section 5.6.1); empty ones are skipped.
struct TokenList {
    private var rest: UnsafeRawBufferPointer
    /// Something in it was no token; iteration has stopped there.
    private(set) var isMalformed = false

    init(_ value: UnsafeRawBufferPointer) { rest = value }

    mutating func next() -> UnsafeRawBufferPointer? {
        var start = 0
        while start < rest.count, rest[start] == ASCII.comma || ASCII.isBlank(rest[start]) { start += 1 }
        guard start < rest.count else { return nil }
        let table = ASCII.tokenTable
        var end = start
        while end < rest.count, table[Int(rest[end])] != 0 { end += 1 }
        var after = end
        while after < rest.count, ASCII.isBlank(rest[after]) { after += 1 }
        guard end > start, after == rest.count || rest[after] == ASCII.comma else {
            isMalformed = true
            rest = UnsafeRawBufferPointer(start: nil, count: 0)
            return nil
        }
        let element = UnsafeRawBufferPointer(rebasing: rest[start..<end])
        rest = UnsafeRawBufferPointer(rebasing: rest[after...])
        return element
    }
}

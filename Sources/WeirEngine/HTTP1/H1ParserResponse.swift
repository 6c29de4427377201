import Glibc

/// One pass over the bytes of a response head (RFC 9112 sections 4 and 5).
struct H1ResponseReader {
    private let start: UnsafeMutablePointer<UInt8>
    private let end: UnsafeMutablePointer<UInt8>
    private let limits: H1Limits
    private var next: UnsafeMutablePointer<UInt8>

    private var minorVersion: UInt8 = 1
    private var status = 0
    private var reason = UnsafeRawBufferPointer(start: nil, count: 0)

    init(bytes: UnsafeMutablePointer<UInt8>, count: Int, limits: H1Limits) {
        start = bytes
        end = bytes + count
        next = bytes
        self.limits = limits
    }

    mutating func read(requestMethod: MethodToken, into head: ResponseHead) -> H1ParseResult {
        switch readStatusLine() {
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
        guard finish(head, lines.framing, requestMethod) else { return .failed(.malformed) }
        return .complete(consumed: lines.next - start)
    }

    /// `HTTP/1.1 200 Reason`; the reason may be empty, and servers leave the space before it out too.
    private mutating func readStatusLine() -> H1Progress {
        let text: StaticString = "HTTP/1."
        let wanted = min(end - next, text.utf8CodeUnitCount)
        guard memcmp(next, text.utf8Start, wanted) == 0 else { return .failed(.malformed) }
        guard end - next >= 13 else { return .needMore }
        guard next[7] == ASCII.zero || next[7] == ASCII.zero + 1, next[8] == ASCII.space else {
            return .failed(.malformed)
        }
        minorVersion = next[7] - ASCII.zero
        for index in 9..<12 {
            guard ASCII.isDigit(next[index]) else { return .failed(.malformed) }
            status = status * 10 + Int(next[index] - ASCII.zero)
        }
        guard status >= 100 else { return .failed(.malformed) }
        next += 12
        return readReason()
    }

    private mutating func readReason() -> H1Progress {
        let hasSpace = next.pointee == ASCII.space
        guard hasSpace || next.pointee == ASCII.carriageReturn else { return .failed(.malformed) }
        if hasSpace { next += 1 }
        let text = UnsafePointer(next)
        let stop = ASCII.endOfFieldValue(text, UnsafePointer(end))
        guard UnsafePointer(end) - stop >= 2 else {
            return stop == UnsafePointer(end) || stop.pointee == ASCII.carriageReturn ? .needMore : .failed(.malformed)
        }
        guard stop[0] == ASCII.carriageReturn, stop[1] == ASCII.lineFeed else { return .failed(.malformed) }
        reason = UnsafeRawBufferPointer(start: text, count: stop - text)
        next = UnsafeMutablePointer(mutating: stop) + 2
        return .done
    }

    private func finish(_ head: ResponseHead, _ framing: H1Framing, _ requestMethod: MethodToken) -> Bool {
        guard
            let bodyFraming = framing.responseFraming(
                status: status, requestMethod: requestMethod, minorVersion: minorVersion)
        else { return false }
        head.status = status
        head.reason = reason
        head.minorVersion = minorVersion
        head.framing = bodyFraming
        head.hasGRPCStatus = framing.hasGRPCStatus
        head.keepAlive = bodyFraming != .untilClose && framing.keepsAlive(minorVersion: minorVersion)
        if status < 200 || status == 204 {
            // They have no length (RFC 9110 section 8.6), whatever an origin says.
            head.block.remove(.contentLength)
        }
        return true
    }
}

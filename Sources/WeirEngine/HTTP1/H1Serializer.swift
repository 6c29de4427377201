import Glibc

/// Writes message heads and chunk framing (RFC 9112 sections 2 to 7).
///
/// Writers need the room their bound promises. Names are lower-case already; removed lines are left out; what the
/// framing says is written here and nowhere else.
enum H1Serializer {
    private typealias Out = UnsafeMutablePointer<UInt8>

    /// Room for what a head has besides its fields, method, target and authority.
    private static let fixedBytes = 160

    // MARK: Requests

    /// Upper bound of what `writeRequest` writes.
    static func requestBound(_ head: RequestHead) -> Int {
        fixedBytes + head.methodBytes.count + head.target.count + head.authority.count + fieldsBound(head.block.lines)
    }

    /// Writes a request's head in origin form, its authority as the one and first `host`; returns the bytes written.
    static func writeRequest(_ head: RequestHead, into out: UnsafeMutablePointer<UInt8>) -> Int {
        var at = out
        append(head.methodBytes, &at)
        at.pointee = ASCII.space
        at += 1
        append(UnsafeRawBufferPointer(head.target), &at)
        append(" HTTP/1.1\r\nhost: ", &at)
        append(head.authority, &at)
        append("\r\n", &at)
        appendFields(head.block.lines, keepsLength: head.framing == .none, &at)
        appendFraming(head.framing, &at)
        if head.wantsUpgrade { append(webSocketLines, &at) }
        // Some origins wait for a body, or answer 411, when such a request does not say that it has none.
        if head.framing == .none, head.method.mayHaveBody { append("content-length: 0\r\n", &at) }
        append("\r\n", &at)
        return at - out
    }

    // MARK: Responses

    /// Upper bound of what `writeResponse` and `writeInformational` write.
    static func responseBound(_ head: ResponseHead) -> Int {
        fixedBytes + head.reason.count + fieldsBound(head.block.lines)
    }

    /// Writes a final response's head; returns the bytes written.
    ///
    /// With `.none`, a `content-length` among the fields stays: answers to HEAD and 304 tell a length they do not have.
    static func writeResponse(
        _ head: ResponseHead, framing: BodyFraming, close: Bool, into out: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var at = out
        appendStatusLine(head, &at)
        appendFields(head.block.lines, keepsLength: framing == .none, &at)
        appendFraming(framing, &at)
        if close { append("connection: close\r\n", &at) }
        append("\r\n", &at)
        return at - out
    }

    /// What says that the connection is to become a WebSocket, or has (RFC 6455 section 4); no header of a message holds it.
    private static let webSocketLines: StaticString = "connection: Upgrade\r\nupgrade: websocket\r\n"

    /// Writes an informational head, or that of a 101, which have no framing; returns the bytes written.
    static func writeInformational(_ head: ResponseHead, into out: UnsafeMutablePointer<UInt8>) -> Int {
        var at = out
        appendStatusLine(head, &at)
        appendFields(head.block.lines, keepsLength: false, &at)
        if head.status == 101 { append(webSocketLines, &at) }
        append("\r\n", &at)
        return at - out
    }

    private static func appendStatusLine(_ head: ResponseHead, _ at: inout UnsafeMutablePointer<UInt8>) {
        if head.status == 200 { return append("HTTP/1.1 200 OK\r\n", &at) }
        append("HTTP/1.1 ", &at)
        at += ASCII.writeDecimal(UInt64(clamping: head.status), into: at)
        at.pointee = ASCII.space
        at += 1
        if let reason = ReasonPhrase.of(head.status) {
            ASCII.copy(reason.utf8Start, into: at, count: reason.utf8CodeUnitCount)
            at += reason.utf8CodeUnitCount
        } else {
            append(head.reason, &at)
        }
        append("\r\n", &at)
    }

    // MARK: Bodies

    /// Upper bound of what `writeChunkHead` writes.
    static let chunkHeadBound = ASCII.hexBound + 2

    /// Writes the size line of a chunk of `count` bytes, which must not be 0; returns the bytes written.
    static func writeChunkHead(_ count: Int, into out: UnsafeMutablePointer<UInt8>) -> Int {
        precondition(count > 0, "an empty chunk would end the body")
        let length = ASCII.writeHex(UInt64(count), into: out)
        return length + ASCII.write("\r\n", into: out + length)
    }

    /// What stands behind a chunk's bytes.
    static var chunkEnd: UnsafeRawBufferPointer { constant("\r\n") }
    /// What ends a chunked body.
    static var lastChunk: UnsafeRawBufferPointer { constant("0\r\n\r\n") }

    private static func constant(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    // MARK: Fields

    private static func fieldsBound(_ lines: UnsafeBufferPointer<HeaderField>) -> Int {
        var total = 0
        guard var field = lines.baseAddress else { return 0 }
        let end = field + lines.count
        while field < end {
            defer { field += 1 }
            total += Int(field.pointee.nameLength) + Int(field.pointee.valueLength) + 4
        }
        return total
    }

    /// Writes the live lines, but for those written elsewhere: `host` always, `content-length` unless kept.
    ///
    /// Lines that lie behind each other in received bytes as `name: value CRLF` go out in one copy.
    private static func appendFields(
        _ lines: UnsafeBufferPointer<HeaderField>, keepsLength: Bool, _ at: inout UnsafeMutablePointer<UInt8>
    ) {
        guard var field = lines.baseAddress else { return }
        let end = field + lines.count
        while field < end {
            guard isWritten(field, keepsLength) else {
                field += 1
                continue
            }
            guard isCanonical(field) else {
                appendLine(field, &at)
                field += 1
                continue
            }
            let run = field.pointee.name
            var last = field
            field += 1
            while field < end, isWritten(field, keepsLength), follows(last, field), isCanonical(field) {
                last = field
                field += 1
            }
            let length = last.pointee.value + Int(last.pointee.valueLength) - run
            ASCII.copy(run, into: at, count: length)
            at += length
            append("\r\n", &at)
        }
    }

    @inline(__always)  // three tests in the loop above
    private static func isWritten(_ field: UnsafePointer<HeaderField>, _ keepsLength: Bool) -> Bool {
        if field.pointee.removed || field.pointee.token == .host { return false }
        return keepsLength || field.pointee.token != .contentLength
    }

    /// Whether exactly `": "` lies between name and value.
    @inline(__always)  // as above
    private static func isCanonical(_ field: UnsafePointer<HeaderField>) -> Bool {
        let colon = field.pointee.name + Int(field.pointee.nameLength)
        return colon + 2 == field.pointee.value && colon[0] == ASCII.colon && colon[1] == ASCII.space
    }

    /// Whether exactly CRLF lies between two lines.
    @inline(__always)  // as above
    private static func follows(_ last: UnsafePointer<HeaderField>, _ field: UnsafePointer<HeaderField>) -> Bool {
        let end = last.pointee.value + Int(last.pointee.valueLength)
        return end + 2 == field.pointee.name && end[0] == ASCII.carriageReturn && end[1] == ASCII.lineFeed
    }

    private static func appendLine(_ field: UnsafePointer<HeaderField>, _ at: inout UnsafeMutablePointer<UInt8>) {
        append(field.pointee.nameBytes, &at)
        append(": ", &at)
        append(field.pointee.valueBytes, &at)
        append("\r\n", &at)
    }

    private static func appendFraming(_ framing: BodyFraming, _ at: inout UnsafeMutablePointer<UInt8>) {
        switch framing {
        case .none, .untilClose:
            break
        case .length(let length):
            append("content-length: ", &at)
            at += ASCII.writeDecimal(length, into: at)
            append("\r\n", &at)
        case .chunked:
            append("transfer-encoding: chunked\r\n", &at)
        }
    }

    @inline(__always)  // a literal's copy is a few stores
    private static func append(_ text: StaticString, _ at: inout UnsafeMutablePointer<UInt8>) {
        at += ASCII.write(text, into: at)
    }

    @inline(__always)  // most runs are shorter than a call is worth
    private static func append(_ bytes: UnsafeRawBufferPointer, _ at: inout UnsafeMutablePointer<UInt8>) {
        guard let start = bytes.baseAddress else { return }
        ASCII.copy(start, into: at, count: bytes.count)
        at += bytes.count
    }
}

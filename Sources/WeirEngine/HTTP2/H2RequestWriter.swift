/// Writes a request's head as HTTP/2 has it (RFC 9113 section 8.3.1).
enum H2RequestWriter {
    /// Fields there may be besides the head's lines.
    private static let ownFields = 6

    /// Submits the head; `false` when the connection takes no more.
    static func submit(_ head: RequestHead, on stream: H2ClientStream, of session: H2Session) -> Bool {
        H2FieldList.with(capacity: head.block.count + ownFields) { list in
            if head.wantsUpgrade {
                // RFC 8441 section 4.
                list.append(":method", "CONNECT")
                list.append(":protocol", "websocket")
            } else {
                list.append(":method", head.methodBytes)
            }
            list.append(":scheme", head.scheme == .https ? "https" : "http")
            if !head.authority.isEmpty { list.append(":authority", head.authority) }
            list.append(":path", UnsafeRawBufferPointer(head.target))
            for line in head.block.lines where isWritten(line, head.framing) { list.append(line) }
            return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ASCII.decimalBound) { room in
                if case .length(let length) = head.framing {
                    let count = ASCII.writeDecimal(length, into: room.baseAddress!)
                    list.append(
                        "content-length", UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
                }
                return session.request(on: stream.stream, list, hasBody: stream.hasBody)
            }
        }
    }

    /// What belongs to a connection stays behind (RFC 9113 section 8.2.2), and what is said otherwise here.
    private static func isWritten(_ line: HeaderField, _ framing: BodyFraming) -> Bool {
        if line.removed { return false }
        switch line.token {
        case .host, .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .http2Settings: return false
        case .contentLength: return framing == .none
        case .other where ASCII.equals(line.nameBytes, "sec-websocket-key"): return false
        case .te: return ASCII.equals(line.valueBytes, "trailers")
        default: return true
        }
    }
}

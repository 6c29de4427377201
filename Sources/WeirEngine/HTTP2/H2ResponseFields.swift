import Glibc

/// A response's head as the fields of an HTTP/2 stream (RFC 9113 section 8.3.2).
enum H2ResponseFields {
    /// Room for the status and for a length that stands among no lines.
    private static let ownFields = 2
    private static let statusDigits = 3

    /// Calls `body` with the fields, and with the bytes of their names and values.
    ///
    /// `status`: the head's own, but for a tunnel's.
    static func with(_ head: ResponseHead, status: Int, _ body: (H2FieldList, Int) -> Void) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: statusDigits + ASCII.decimalBound) { digits in
            H2FieldList.with(capacity: head.block.count + ownFields) { list in
                guard let room = digits.baseAddress else { return }
                writeStatus(status, into: room)
                list.append(":status", UnsafeRawBufferPointer(start: room, count: statusDigits))
                addLines(head, status, to: &list)
                if case .length(let length) = head.framing, mayTellLength(status), length > 0 || !isCall(head) {
                    let count = ASCII.writeDecimal(length, into: room + statusDigits)
                    list.append("content-length", UnsafeRawBufferPointer(start: room + statusDigits, count: count))
                }
                body(list, list.bytes)
            }
        }
    }

    /// The lines, less what concerned the connection they came over.
    ///
    /// The length of a body comes from the framing; without a body, as in answers to HEAD, it may stand as it came.
    private static func addLines(_ head: ResponseHead, _ status: Int, to list: inout H2FieldList) {
        for line in head.block.lines where !line.removed && !H1Framing.isHopByHop(line.token) {
            if line.token == .contentLength, head.framing != .none || !mayTellLength(status) { continue }
            list.append(line)
        }
    }

    /// An answer of gRPC that is a head alone: its clients take every line of it for the call's own.
    private static func isCall(_ head: ResponseHead) -> Bool { head.block.firstIndex(of: .grpcStatus) >= 0 }

    /// RFC 9110 section 8.6.
    private static func mayTellLength(_ status: Int) -> Bool { status >= 200 && status != 204 }

    private static func writeStatus(_ status: Int, into room: UnsafeMutablePointer<UInt8>) {
        let status = min(max(status, 100), 999)
        room[0] = ASCII.zero + UInt8(status / 100)
        room[1] = ASCII.zero + UInt8(status / 10 % 10)
        room[2] = ASCII.zero + UInt8(status % 10)
    }
}

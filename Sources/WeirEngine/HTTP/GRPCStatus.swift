/// The status codes of gRPC, and where an answer carries one.
enum GRPCStatus {
    /// What an answer of our own with this HTTP status is to a gRPC client (semantics 6.2).
    static func code(http status: Int) -> Int8 {
        switch status {
        case 400: 13
        case 401: 16
        case 403: 7
        case 404: 12
        case 429, 502, 503, 504: 14
        default: 2
        }
    }

    /// The HTTP status that says as much as a code of gRPC, as Envoy has it where endpoints are judged.
    static func http(code: Int8) -> Int {
        switch code {
        case 0: 200
        case 1: 499
        case 3, 9, 11: 400
        case 4: 504
        case 5: 404
        case 6, 10: 409
        case 7: 403
        case 8: 429
        case 12: 501
        case 14: 503
        case 16: 401
        default: 500
        }
    }

    /// Writes a text as `grpc-message` has it: what is not printable ASCII, and `%`, percent-encoded.
    ///
    /// There must be room for three times the text; returns the bytes written.
    static func writeMessage(_ text: UnsafeRawBufferPointer, into out: UnsafeMutablePointer<UInt8>) -> Int {
        let digits: StaticString = "0123456789ABCDEF"
        var length = 0
        for byte in text {
            if byte >= 0x20, byte < 0x7F, byte != ASCII.percent {
                out[length] = byte
                length += 1
            } else {
                out[length] = ASCII.percent
                out[length + 1] = digits.utf8Start[Int(byte >> 4)]
                out[length + 2] = digits.utf8Start[Int(byte & 15)]
                length += 3
            }
        }
        return length
    }
}

extension HeaderBlock {
    /// `grpc-status` among the lines; -1 without one, or with one that cannot be read.
    var grpcStatus: Int8 {
        var found: HeaderField?
        for field in lines where field.token == .grpcStatus && !field.removed {
            // Two lines are one list, which is no number.
            guard found == nil else { return -1 }
            found = field
        }
        guard let found, found.valueLength > 0 else { return -1 }
        var value = 0
        for byte in found.valueBytes {
            guard ASCII.isDigit(byte) else { return -1 }
            value = value * 10 + Int(byte - ASCII.zero)
            guard value <= Int(Int8.max) else { return -1 }
        }
        return Int8(value)
    }
}

extension ResponseHead {
    /// `grpc-status` of an answer that carries it in its head; -1 without one, or with one that cannot be read.
    var grpcStatus: Int8 { hasGRPCStatus ? block.grpcStatus : -1 }
}

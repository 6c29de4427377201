/// How long a request may take, and how an upstream is told (semantics 3.10).
enum RequestTimeout {
    /// More is no timeout to wait for: 365 days.
    static let longestMilliseconds: UInt64 = 31_536_000_000

    /// Milliseconds from the request's end to the answer's end; 0 = no limit.
    ///
    /// What a gRPC client asks for holds as far as the route allows it.
    static func effective(route milliseconds: UInt32, _ head: RequestHead) -> UInt64 {
        let allowed = UInt64(milliseconds)
        guard head.isGRPC || head.isGRPCWeb else { return allowed }
        let line = head.block.soleIndex("grpc-timeout")
        guard line >= 0 else { return allowed }
        let asked = Self.milliseconds(grpc: head.block.fields[line].valueBytes)
        return asked == 0 ? allowed : allowed == 0 ? asked : min(asked, allowed)
    }

    /// The monotonic nanosecond at which a timeout that begins now has passed.
    static func deadline(after milliseconds: UInt64, now: UInt64) -> UInt64 {
        now + min(milliseconds, longestMilliseconds) * 1_000_000
    }

    /// A gRPC timeout in milliseconds, rounded up; 0 for none, and for what is no timeout.
    ///
    /// One to eight digits and a unit, as the gRPC protocol over HTTP/2 has it.
    static func milliseconds(grpc value: UnsafeRawBufferPointer) -> UInt64 {
        guard value.count >= 2, value.count <= 9 else { return 0 }
        var number: UInt64 = 0
        for byte in value.dropLast() {
            guard ASCII.isDigit(byte) else { return 0 }
            number = number * 10 + UInt64(byte - ASCII.zero)
        }
        return switch value[value.count - 1] {
        case UInt8(ascii: "H"): number * 3_600_000
        case UInt8(ascii: "M"): number * 60_000
        case UInt8(ascii: "S"): number * 1000
        case UInt8(ascii: "m"): number
        case UInt8(ascii: "u"): (number + 999) / 1000
        case UInt8(ascii: "n"): (number + 999_999) / 1_000_000
        default: 0
        }
    }

    /// Milliseconds as gRPC writes them: at most eight digits, in the finest unit that does.
    static func grpcText(_ milliseconds: UInt64) -> (number: UInt64, unit: UInt8) {
        let most: UInt64 = 99_999_999
        if milliseconds <= most { return (milliseconds, UInt8(ascii: "m")) }
        if milliseconds / 1000 <= most { return (milliseconds / 1000, UInt8(ascii: "S")) }
        if milliseconds / 60_000 <= most { return (milliseconds / 60_000, UInt8(ascii: "M")) }
        return (min(milliseconds / 3_600_000, most), UInt8(ascii: "H"))
    }
}

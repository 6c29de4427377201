import CWeir
import Glibc

/// What is said of a connection that could not be opened (semantics 6.7), in Envoy's words.
enum ConnectErrorText {
    /// Longest text of an errno that is printed.
    private static let maxErrnoBytes = 80
    private static let maxReasonBytes = max(maxErrnoBytes, TLSFailureText.maxBytes)
    private static let underscore = UInt8(ascii: "_")
    private static let before: StaticString = "delayed_connect_error:_"
    /// Bytes the details can take, with the reason inside.
    static let maxDetailsBytes = 128 + maxReasonBytes

    /// Writes `delayed_connect_error:_Connection_refused`, or why TLS `failure` says it was; returns its length.
    static func write(
        _ code: Int32, _ failure: UnsafeRawBufferPointer, into out: UnsafeMutablePointer<UInt8>
    ) -> Int {
        if code == ProxyError.transportFailed, !failure.isEmpty {
            for index in 0..<failure.count { out[index] = failure[index] == ASCII.space ? underscore : failure[index] }
            return failure.count
        }
        var length = ASCII.write(before, into: out)
        guard let text = weir_errno_text(code) else { return length }
        var index = 0
        while text[index] != 0, index < maxErrnoBytes {
            let byte = UInt8(bitPattern: text[index])
            out[length] = byte == ASCII.space ? underscore : byte
            length += 1
            index += 1
        }
        return length
    }
}

/// Names of gRPC's status codes.
enum GRPCStatusName {
    static let maxBytes = 24

    private static let camel: [StaticString] = [
        "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
        "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
        "Internal", "Unavailable", "DataLoss", "Unauthenticated",
    ]
    private static let snake: [StaticString] = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]

    /// `nil` for a number without a name, or when a number is wanted.
    static func text(_ status: Int8, _ style: LogGRPCStyle) -> StaticString? {
        guard style != .number, status >= 0, Int(status) < camel.count else { return nil }
        return style == .camel ? camel[Int(status)] : snake[Int(status)]
    }
}

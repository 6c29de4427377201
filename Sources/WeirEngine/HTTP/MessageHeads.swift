/// How a message's body is delimited (RFC 9112 section 6.3).
enum BodyFraming: Equatable {
    case none
    case length(UInt64)
    case chunked
    /// Responses only: the body ends with the connection.
    case untilClose
}

enum Scheme: UInt8 {
    case http
    case https
}

/// Methods Weir treats specially; the bytes are always kept too.
enum MethodToken: UInt8 {
    case other = 0
    case get
    case head
    case post
    case put
    case delete
    case options
    case patch
    case connect
    case trace
}

/// A request's start line and headers. Pooled and reused; owned by one stream at a time.
///
/// All pointers lead into `backing` (or into the block's arena) and die with `reset`.
final class RequestHead {
    var block = HeaderBlock()
    /// Keeps the received bytes alive.
    var backing: ByteSlice?

    var method = MethodToken.other
    var methodBytes = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Path and query as they go upstream: normalised in place.
    var target = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// Bytes of `target` before the `?`.
    var pathLength = 0
    /// Host as received (absolute-form: the target's), port included, case kept.
    var authority = UnsafeRawBufferPointer(start: nil, count: 0)
    var scheme = Scheme.http
    /// 0 or 1 of HTTP/1.x.
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    /// The peer wants the connection kept after this exchange.
    var keepAlive = true
    var expectsContinue = false
    /// `Upgrade` was asked for (with `Connection: upgrade`).
    var wantsUpgrade = false
    /// Content type is `application/grpc` or `application/grpc+...`.
    var isGRPC = false

    var path: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: target[..<pathLength]) }
    /// Behind the `?`, or empty.
    var query: UnsafeRawBufferPointer {
        guard pathLength < target.count else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: target[(pathLength + 1)...])
    }

    func reset() {
        block.reset()
        backing = nil
        method = .other
        methodBytes = UnsafeRawBufferPointer(start: nil, count: 0)
        target = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        pathLength = 0
        authority = UnsafeRawBufferPointer(start: nil, count: 0)
        scheme = .http
        minorVersion = 1
        framing = .none
        keepAlive = true
        expectsContinue = false
        wantsUpgrade = false
        isGRPC = false
    }
}

/// A response's status line and headers. Pooled and reused; owned by one stream at a time.
final class ResponseHead {
    var block = HeaderBlock()
    var backing: ByteSlice?

    var status = 0
    var reason = UnsafeRawBufferPointer(start: nil, count: 0)
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    /// The upstream connection may carry another request after this one.
    var keepAlive = true

    /// 1xx other than 101: another head follows.
    var isInformational: Bool { status < 200 && status != 101 }

    func reset() {
        block.reset()
        backing = nil
        status = 0
        reason = UnsafeRawBufferPointer(start: nil, count: 0)
        minorVersion = 1
        framing = .none
        keepAlive = true
    }
}

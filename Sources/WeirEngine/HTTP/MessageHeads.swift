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

extension MethodToken {
    /// The token of a method's bytes; `nil` for names that are no method.
    ///
    /// Methods are those Istio's gateway takes, upper-case: the registered ones in use, and those of WebDAV.
    static func lookup(_ name: UnsafePointer<UInt8>, length: Int) -> MethodToken? {
        switch length {
        case 3 where ASCII.equals(name, "GET"): .get
        case 3 where ASCII.equals(name, "PUT"): .put
        case 4 where ASCII.equals(name, "POST"): .post
        case 4 where ASCII.equals(name, "HEAD"): .head
        case 5 where ASCII.equals(name, "PATCH"): .patch
        case 5 where ASCII.equals(name, "TRACE"): .trace
        case 6 where ASCII.equals(name, "DELETE"): .delete
        case 7 where ASCII.equals(name, "OPTIONS"): .options
        case 7 where ASCII.equals(name, "CONNECT"): .connect
        default: isRarer(name, length) ? .other : nil
        }
    }

    private static func isRarer(_ name: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let name = UnsafeRawBufferPointer(start: name, count: length)
        func isOne(_ left: StaticString, _ right: StaticString) -> Bool {
            ASCII.equals(name, left) || ASCII.equals(name, right)
        }
        return switch length {
        case 3: ASCII.equals(name, "ACL")
        case 4: isOne("BIND", "COPY") || isOne("LINK", "LOCK") || ASCII.equals(name, "MOVE")
        case 5: isOne("MERGE", "MKCOL") || ASCII.equals(name, "PURGE")
        case 6:
            isOne("NOTIFY", "REBIND") || isOne("REPORT", "SEARCH") || isOne("SOURCE", "UNBIND")
                || isOne("UNLINK", "UNLOCK")
        case 8: isOne("CHECKOUT", "M-SEARCH") || ASCII.equals(name, "PROPFIND")
        case 9: isOne("PROPPATCH", "SUBSCRIBE")
        case 10: isOne("MKACTIVITY", "MKCALENDAR")
        case 11: ASCII.equals(name, "UNSUBSCRIBE")
        default: false
        }
    }
}

/// A request's start line and headers.
///
/// Pooled and reused; owned by one stream at a time. All pointers lead into `backing` (or into the block's arena) and
/// die with `reset`. Says nothing sound when a parser has refused it.
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
    /// Bytes of `authority` before its port's colon.
    var hostLength = 0
    var scheme = Scheme.http
    /// 0 or 1 of HTTP/1.x.
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    /// The peer wants the connection kept after this exchange.
    var keepAlive = true
    var expectsContinue = false
    /// `Upgrade` was asked for (with `Connection: upgrade`), to something other than h2c, which is ignored.
    var wantsUpgrade = false
    /// Content type is `application/grpc` or `application/grpc+...`.
    var isGRPC = false

    var path: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: target[..<pathLength]) }
    /// The authority without its port.
    var host: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: authority[..<hostLength]) }
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
        hostLength = 0
        scheme = .http
        minorVersion = 1
        framing = .none
        keepAlive = true
        expectsContinue = false
        wantsUpgrade = false
        isGRPC = false
    }
}

/// A response's status line and headers.
///
/// Pooled and reused; owned by one stream at a time.
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

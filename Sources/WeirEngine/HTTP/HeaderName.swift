import Glibc

/// Tokens of the header names Weir itself looks at; every other name is `other` and compared by its bytes.
///
/// Names in memory are lower-case: the parser folds them while it checks them.
enum HeaderName: UInt8, CaseIterable {
    case other = 0
    case accept
    case authority
    case connection
    case contentLength
    case contentType
    case cookie
    case date
    case expect
    case grpcStatus
    case host
    case http2Settings
    case keepAlive
    case location
    case proxyConnection
    case server
    case te
    case trailer
    case transferEncoding
    case upgrade
    case userAgent
    case xEnvoyAttemptCount
    case xEnvoyExternalAddress
    /// `x-envoy-internal`, `x-envoy-original-path` and its kin, and the control headers a client must not set (semantics
    /// 6.1): all dropped alike.
    case xEnvoyControl
    case xEnvoyOverloaded
    case xEnvoyUpstreamServiceTime
    case xForwardedClientCert
    case xForwardedFor
    case xForwardedProto
    case xRequestID

    /// The name as it stands on the wire.
    ///
    /// `other` and `xEnvoyControl` stand for many names and have none.
    var text: StaticString {
        switch self {
        case .other, .xEnvoyControl: ""
        case .accept: "accept"
        case .authority: ":authority"
        case .connection: "connection"
        case .contentLength: "content-length"
        case .contentType: "content-type"
        case .cookie: "cookie"
        case .date: "date"
        case .expect: "expect"
        case .grpcStatus: "grpc-status"
        case .host: "host"
        case .http2Settings: "http2-settings"
        case .keepAlive: "keep-alive"
        case .location: "location"
        case .proxyConnection: "proxy-connection"
        case .server: "server"
        case .te: "te"
        case .trailer: "trailer"
        case .transferEncoding: "transfer-encoding"
        case .upgrade: "upgrade"
        case .userAgent: "user-agent"
        case .xEnvoyAttemptCount: "x-envoy-attempt-count"
        case .xEnvoyExternalAddress: "x-envoy-external-address"
        case .xEnvoyOverloaded: "x-envoy-overloaded"
        case .xEnvoyUpstreamServiceTime: "x-envoy-upstream-service-time"
        case .xForwardedClientCert: "x-forwarded-client-cert"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedProto: "x-forwarded-proto"
        case .xRequestID: "x-request-id"
        }
    }
}

extension HeaderName {
    /// The token of a lower-case name.
    static func lookup(_ name: UnsafePointer<UInt8>, length: Int) -> HeaderName {
        switch length {
        case 2: ASCII.equals(name, "te") ? .te : .other
        case 4: ASCII.equals(name, "host") ? .host : ASCII.equals(name, "date") ? .date : .other
        case 6: lookup6(name)
        case 7: ASCII.equals(name, "upgrade") ? .upgrade : ASCII.equals(name, "trailer") ? .trailer : .other
        case 8: ASCII.equals(name, "location") ? .location : .other
        case 10: lookup10(name)
        case 11: ASCII.equals(name, "grpc-status") ? .grpcStatus : .other
        case 12: lookup12(name)
        case 14: lookup14(name)
        case 15: ASCII.equals(name, "x-forwarded-for") ? .xForwardedFor : lookupEnvoy(name, length)
        case 16: ASCII.equals(name, "proxy-connection") ? .proxyConnection : lookupEnvoy(name, length)
        case 17: lookup17(name)
        case 18..<64: name[2] == UInt8(ascii: "e") ? lookupEnvoy(name, length) : lookupLong(name, length)
        default: .other
        }
    }

    private static func lookup6(_ name: UnsafePointer<UInt8>) -> HeaderName {
        switch name[0] {
        case UInt8(ascii: "a"): ASCII.equals(name, "accept") ? .accept : .other
        case UInt8(ascii: "c"): ASCII.equals(name, "cookie") ? .cookie : .other
        case UInt8(ascii: "e"): ASCII.equals(name, "expect") ? .expect : .other
        case UInt8(ascii: "s"): ASCII.equals(name, "server") ? .server : .other
        default: .other
        }
    }

    private static func lookup10(_ name: UnsafePointer<UInt8>) -> HeaderName {
        switch name[0] {
        case UInt8(ascii: "c"): ASCII.equals(name, "connection") ? .connection : .other
        case UInt8(ascii: "k"): ASCII.equals(name, "keep-alive") ? .keepAlive : .other
        case UInt8(ascii: "u"): ASCII.equals(name, "user-agent") ? .userAgent : .other
        case ASCII.colon: ASCII.equals(name, ":authority") ? .authority : .other
        default: .other
        }
    }

    private static func lookup12(_ name: UnsafePointer<UInt8>) -> HeaderName {
        if ASCII.equals(name, "content-type") { return .contentType }
        return ASCII.equals(name, "x-request-id") ? .xRequestID : .other
    }

    private static func lookup14(_ name: UnsafePointer<UInt8>) -> HeaderName {
        if ASCII.equals(name, "content-length") { return .contentLength }
        return ASCII.equals(name, "http2-settings") ? .http2Settings : .other
    }

    private static func lookup17(_ name: UnsafePointer<UInt8>) -> HeaderName {
        if ASCII.equals(name, "x-forwarded-proto") { return .xForwardedProto }
        return ASCII.equals(name, "transfer-encoding") ? .transferEncoding : lookupEnvoy(name, 17)
    }

    private static func lookupLong(_ name: UnsafePointer<UInt8>, _ length: Int) -> HeaderName {
        guard length == 23 else { return .other }
        return ASCII.equals(name, "x-forwarded-client-cert") ? .xForwardedClientCert : .other
    }

    /// The token of a name in `x-envoy-`.
    ///
    /// Those not listed are ordinary and pass through (semantics 6.1).
    private static func lookupEnvoy(_ name: UnsafePointer<UInt8>, _ length: Int) -> HeaderName {
        guard ASCII.equals(name, "x-envoy-") else { return .other }
        let rest = UnsafeRawBufferPointer(start: name + 8, count: length - 8)
        switch rest.count {
        case 10 where ASCII.equals(rest, "overloaded"): return .xEnvoyOverloaded
        case 13 where ASCII.equals(rest, "attempt-count"): return .xEnvoyAttemptCount
        case 16 where ASCII.equals(rest, "external-address"): return .xEnvoyExternalAddress
        case 21 where ASCII.equals(rest, "upstream-service-time"): return .xEnvoyUpstreamServiceTime
        default: return isEnvoyControl(rest) ? .xEnvoyControl : .other
        }
    }

    private static func isEnvoyControl(_ rest: UnsafeRawBufferPointer) -> Bool {
        switch rest.count {
        case 7: ASCII.equals(rest, "ip-tags")
        case 8: ASCII.equals(rest, "internal") || ASCII.equals(rest, "retry-on")
        case 11: ASCII.equals(rest, "max-retries") || ASCII.equals(rest, "force-trace")
        case 12: ASCII.equals(rest, "original-url")
        // The originals are Weir's own to tell of.
        case 13:
            ASCII.equals(rest, "retry-grpc-on") || ASCII.equals(rest, "original-path")
                || ASCII.equals(rest, "original-host")
        case 19: ASCII.equals(rest, "decorator-operation")
        case 22:
            ASCII.equals(rest, "upstream-rq-timeout-ms") || ASCII.equals(rest, "retriable-status-codes")
                || ASCII.equals(rest, "expected-rq-timeout-ms") || ASCII.equals(rest, "upstream-alt-stat-name")
        case 23: ASCII.equals(rest, "downstream-service-node")
        case 24: ASCII.equals(rest, "hedge-on-per-try-timeout")
        case 26: ASCII.equals(rest, "downstream-service-cluster")
        case 30: ASCII.equals(rest, "upstream-rq-per-try-timeout-ms")
        case 32: ASCII.equals(rest, "upstream-rq-timeout-alt-response")
        default: false
        }
    }
}

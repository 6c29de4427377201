/// Tokens of the header names Weir itself looks at; every other name is `other` and compared by its bytes.
///
/// Names in memory are lower-case: the parser folds them while it checks them.
enum HeaderName: UInt8 {
    case other = 0
    case accept
    case authority
    case connection
    case contentLength
    case contentType
    case cookie
    case date
    case expect
    case host
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
    /// `x-envoy-internal` and the control headers a client must not set (semantics 6.1): all dropped alike.
    case xEnvoyControl
    case xEnvoyOverloaded
    case xEnvoyUpstreamServiceTime
    case xForwardedClientCert
    case xForwardedFor
    case xForwardedProto
    case xRequestID
}

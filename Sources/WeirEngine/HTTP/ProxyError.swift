import Glibc

/// Why a message could not be completed: what failed, on whose side, and what was known of it.
///
/// The source decides status and flag (`LocalReply`); a trivial value, never boxed.
struct ProxyError: Error, Equatable {
    enum Source: UInt8 {
        case downstream
        case upstream
        case `internal`
    }

    enum Cause: UInt8 {
        /// The peer went away (end or reset).
        case connectionClosed
        /// The connection could not be opened.
        case connectFailure
        case connectTimeout
        /// There are as many connections as there may be.
        case overflow
        /// Bytes that are no valid HTTP.
        case protocolError
        /// The upstream says that it has not looked at the request.
        case refusedStream
        /// The upstream has broken off this one request.
        case remoteReset
        /// An answer's head has become longer than may be sent.
        case headTooLarge
        /// A body or a head made no progress within its limit, or there was no whole answer within the route's.
        case timeout
        /// A try has taken longer than the route lets one take.
        case tryTimeout
        /// Our side gave up: drain deadline, or the other side of the exchange is gone.
        case cancelled
    }

    /// The `code` of a connection that could not be agreed on with the peer, as over its certificate.
    static let transportFailed = EPROTO

    var source: Source
    var cause: Cause
    /// HTTP status to answer with when the error itself names one; 0 otherwise.
    var status: UInt16 = 0
    /// errno of a connection that could not be opened; 0 otherwise.
    var code: Int32 = 0
    /// No byte of the request has reached the upstream.
    var isUnsent = false
    /// Bytes of the body the codec has answered with already; 0 otherwise.
    var answeredBytes: UInt32 = 0

    /// The route's patience is over.
    var isTimeout: Bool { cause == .timeout || cause == .tryTimeout }

    /// Bytes of the request were on their way to an upstream.
    var wasSent: Bool {
        switch cause {
        case .connectFailure, .connectTimeout, .overflow: false
        default: source == .upstream && !isUnsent
        }
    }

    /// TLS could not be agreed on.
    var isOfTransport: Bool { cause == .connectFailure && code == Self.transportFailed }
}

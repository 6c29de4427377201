/// What is known of one request once it is over: the source of its metrics and its line in the access log.
///
/// Trivial, so that an exchange fills it in with plain stores.
struct RequestRecord {
    /// Monotonic nanoseconds of the wake-up in which the request's head was complete.
    var startedAt: UInt64 = 0
    /// What the client was told; 0 when it had left before.
    var status: UInt16 = 0
    var flags: ResponseFlags = []
    var details = ResponseDetails.viaUpstream
    /// errno of a connection that could not be opened; 0 otherwise.
    var connectError: Int32 = 0
    /// Tries begun, where there is a cluster.
    var attempts: UInt16 = 1
    /// Bytes of the heads as they went over the client's connection.
    var requestHeadBytes: UInt64 = 0
    var responseHeadBytes: UInt64 = 0
    /// Bytes of the bodies, without chunk framing.
    var requestBodyBytes: UInt64 = 0
    var responseBodyBytes: UInt64 = 0
    /// From the request's leaving to the answer's head; -1 without an answer from upstream.
    var upstreamMilliseconds: Int64 = -1
    /// From the request's head to its last byte; -1 when that never came.
    var requestMilliseconds: Int64 = -1
    /// -1: none was chosen, or it does not exist.
    var clusterID: Int32 = -1
    /// Number of the endpoint's workload (see `DestinationNames`); 0 = unknown, or no endpoint.
    var workload: Int32 = 0
    var isGRPC = false
    /// It was no request but a connection whose bytes passed through: there is no head and no status.
    var isStream = false
    /// It was refused before there was a head to tell so.
    var cameOverHTTP2 = false
    /// `grpc-status` of the answer; -1 when there was none.
    var grpcStatus: Int8 = -1
}

extension RequestRecord {
    /// There was a connection to the endpoint.
    var wasConnected: Bool { details != .connectFailure && details != .connectTimeout }
}

/// Why the answer is what it is (Envoy: `%RESPONSE_CODE_DETAILS%`; semantics 6.7).
enum ResponseDetails: UInt8 {
    case none
    case viaUpstream
    case routeNotFound
    case clusterNotFound
    case noHealthyUpstream
    case connectFailure
    case connectTimeout
    case connectionTermination
    case upstreamProtocolError
    case upstreamOverflow
    case upstreamReset
    case upstreamRemoteReset
    case responseTimeout
    case tryTimeout
    case resetAfterResponseStarted
    case protocolErrorAfterResponseStarted
    case remoteResetAfterResponseStarted
    case downstreamDisconnect
    case localShutdown
    case internalError
    case codecError
    case missingHost
    case pathNormalizationFailed
    case schemeMismatch
    case asteriskTarget
    case connectRejected
    case lowVersion
    case headersTooLarge
    case invalidTransferEncoding
    case versionNotSupported
    case directResponse
    case corsResponse
    case requestHeadTooLarge
    case responseHeadTooLarge
    case headTimeout
    case bodyTimeout
    case upgradeFailed
    case faultFilterAbort
    case filterChainNotFound

    /// What it is called where the client spoke HTTP/2.
    var textInHTTP2: StaticString {
        switch self {
        case .codecError: "http2.violation.of.messaging.rule"
        case .headersTooLarge: "http2.too_many_headers"
        default: text
        }
    }

    var text: StaticString {
        switch self {
        case .none: "-"
        case .viaUpstream: "via_upstream"
        case .routeNotFound, .connectRejected: "route_not_found"
        case .clusterNotFound: "cluster_not_found"
        case .noHealthyUpstream: "no_healthy_upstream"
        case .connectFailure: "upstream_reset_before_response_started{remote_connection_failure}"
        case .connectTimeout: "upstream_reset_before_response_started{connection_timeout}"
        case .connectionTermination: "upstream_reset_before_response_started{connection_termination}"
        case .upstreamProtocolError: "upstream_reset_before_response_started{protocol_error}"
        case .upstreamOverflow: "upstream_reset_before_response_started{overflow}"
        case .upstreamReset: "upstream_reset_before_response_started{remote_refused_stream_reset}"
        case .upstreamRemoteReset: "upstream_reset_before_response_started{remote_reset}"
        case .responseTimeout: "response_timeout"
        case .tryTimeout: "upstream_per_try_timeout"
        case .resetAfterResponseStarted: "upstream_reset_after_response_started{connection_termination}"
        case .protocolErrorAfterResponseStarted: "upstream_reset_after_response_started{protocol_error}"
        case .remoteResetAfterResponseStarted: "upstream_reset_after_response_started{remote_reset}"
        case .downstreamDisconnect: "downstream_remote_disconnect"
        case .localShutdown: "downstream_local_disconnect(drain)"
        case .internalError: "internal_error"
        case .codecError: "http1.codec_error"
        case .missingHost: "missing_host_header"
        case .pathNormalizationFailed: "path_normalization_failed"
        case .schemeMismatch: "scheme_mismatch"
        case .asteriskTarget: "absolute_path_rejected"
        case .lowVersion: "low_version"
        case .headersTooLarge: "http1.headers_too_large"
        case .invalidTransferEncoding: "http1.invalid_transfer_encoding"
        case .versionNotSupported: "http1.version_not_supported"
        case .directResponse: "direct_response"
        case .corsResponse: "cors_response"
        case .requestHeadTooLarge: "request_headers_too_large"
        case .responseHeadTooLarge: "response_headers_too_large"
        case .headTimeout: "request_header_timeout"
        case .bodyTimeout: "stream_idle_timeout"
        case .upgradeFailed: "upgrade_failed"
        case .faultFilterAbort: "fault_filter_abort"
        case .filterChainNotFound: "filter_chain_not_found"
        }
    }
}

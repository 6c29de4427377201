/// How the events of an exchange become what its record says.
extension RequestRecord {
    /// The upstream's answer has begun.
    mutating func answered(by head: ResponseHead, upstreamMilliseconds milliseconds: UInt64) {
        status = UInt16(truncatingIfNeeded: head.status)
        upstreamMilliseconds = Int64(milliseconds)
        if isGRPC { grpcStatus = head.grpcStatus }
    }

    /// Weir has answered itself.
    mutating func answered(by reply: LocalReply) {
        status = UInt16(reply.status)
        if isGRPC, !reply.isPreflight {
            grpcStatus = reply.grpcStatus
            status = 200
        }
        switch reply {
        case .noRoute, .misdirected: note(.noRoute, .routeNotFound)
        case .noCluster: note(.noCluster, .clusterNotFound)
        case .noHealthyUpstream: note(.noHealthyUpstream, .noHealthyUpstream)
        case .failure(let error, _): fail(upstream: error)
        case .redirect, .direct, .redirectToHTTPS: details = .directResponse
        case .preflight: details = .corsResponse
        case .requestTooLarge: details = .requestHeadTooLarge
        case .upgradeRefused: details = .upgradeFailed
        case .fault: note(.faultInjected, .faultFilterAbort)
        }
    }

    private mutating func fail(upstream error: ProxyError) {
        if error.source == .downstream { return note(.downstreamProtocolError, .codecError) }
        connectError = error.code
        switch error.cause {
        case .connectFailure: note(.upstreamConnectFailure, .connectFailure)
        case .connectTimeout: note(.upstreamConnectFailure, .connectTimeout)
        case .overflow: note(.upstreamOverflow, .upstreamOverflow)
        case .protocolError: note(.upstreamProtocolError, .upstreamProtocolError)
        case .connectionClosed: note(.upstreamClosed, .connectionTermination)
        case .refusedStream: note(.upstreamReset, .upstreamReset)
        case .remoteReset: note(.upstreamReset, .upstreamRemoteReset)
        case .timeout: note(.upstreamTimeout, .responseTimeout)
        case .tryTimeout: note(.upstreamTimeout, .tryTimeout)
        case .headTooLarge: details = .responseHeadTooLarge
        case .cancelled: note(.localReset, .internalError)
        }
    }

    /// The client left, broke the protocol, or was cut off by us; its answer, if one had begun, stays what it was.
    mutating func fail(downstream error: ProxyError) {
        switch error.cause {
        case .cancelled:
            note(.localReset, .localShutdown)
        case .timeout:
            status = error.status
            note(.idleTimeout, .bodyTimeout)
        case .protocolError:
            if status == 0 { status = error.status }
            note(.downstreamProtocolError, .codecError)
        case .connectionClosed, .connectFailure, .connectTimeout, .overflow, .refusedStream, .remoteReset,
            .tryTimeout, .headTooLarge:
            note(.downstreamLeft, .downstreamDisconnect)
        }
    }

    /// The upstream failed inside its answer.
    mutating func cutShort(_ error: ProxyError) {
        switch error.cause {
        case .protocolError: note(.upstreamProtocolError, .protocolErrorAfterResponseStarted)
        case .timeout: note(.upstreamTimeout, .responseTimeout)
        case .remoteReset, .refusedStream: note(.upstreamReset, .remoteResetAfterResponseStarted)
        default: note(.upstreamClosed, .resetAfterResponseStarted)
        }
    }

    /// No byte has passed through the tunnel for as long as it may be silent.
    mutating func tunnelIdled() { note(.idleTimeout, .bodyTimeout) }

    /// A request the codec could not read.
    init(refused error: H1Error, at now: UInt64) {
        startedAt = now
        status = UInt16(error.status)
        switch error {
        case .malformed: note(.downstreamProtocolError, .codecError)
        case .missingHost: note(.downstreamProtocolError, .missingHost)
        case .badPath: note(.downstreamProtocolError, .pathNormalizationFailed)
        case .schemeMismatch: note([], .schemeMismatch)
        case .asteriskTarget: note([], .asteriskTarget)
        case .connectMethod: note(.noRoute, .connectRejected)
        case .timedOut: note([], .headTimeout)
        case .versionTooLow: note(.downstreamProtocolError, .lowVersion)
        case .headTooLarge: note(.downstreamProtocolError, .headersTooLarge)
        case .unsupportedTransferCoding: note(.downstreamProtocolError, .invalidTransferEncoding)
        case .versionNotSupported: note(.downstreamProtocolError, .versionNotSupported)
        }
    }

    private mutating func note(_ flag: ResponseFlags, _ detail: ResponseDetails) {
        flags.insert(flag)
        details = detail
    }
}

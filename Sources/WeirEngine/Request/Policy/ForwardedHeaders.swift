import Glibc

/// The request headers an edge gateway owns (Istio's gateway; semantics 6.1).
enum ForwardedHeaders {
    /// Rewrites the head of a request on its way upstream: forwarding headers are ours, control headers are stripped.
    ///
    /// `downstream` is the connection as it is; `trusted` what proxies say of the request's client, where they are trusted.
    static func prepare(
        _ head: RequestHead, downstream: UnsafePointer<DownstreamInfo>, trusted: TrustedClient?,
        random: inout FastRandom
    ) {
        let fields = head.block.fields
        var forwardedFor = ForwardedFor()
        var hasProto = false
        for index in 0..<head.block.count {
            switch fields[index].token {
            case .xForwardedFor where !fields[index].removed:
                forwardedFor.note(fields, index)
            case .xForwardedProto where trusted != nil && fields[index].valueLength > 0:
                hasProto = true
            case .xForwardedProto, .xRequestID, .xEnvoyExternalAddress, .xEnvoyAttemptCount, .xEnvoyControl,
                .xForwardedClientCert:
                fields[index].removed = true
            default:
                break
            }
        }
        let peer = head.block.reserve(SocketAddress.maxHostText)
        let peerLength = downstream.pointee.peer.writeHost(into: peer)
        forwardedFor.append(&head.block, peer, peerLength)
        if !hasProto {
            head.block.append(
                .xForwardedProto, "x-forwarded-proto", value: downstream.pointee.scheme == .https ? "https" : "http")
        }
        if let client = trusted?.address {
            let text = head.block.reserve(SocketAddress.maxHostText)
            head.block.append(
                .xEnvoyExternalAddress, "x-envoy-external-address", text, client.writeHost(into: text))
        } else {
            head.block.append(.xEnvoyExternalAddress, "x-envoy-external-address", peer, peerLength)
        }
        let requestID = head.block.reserve(RequestID.length)
        RequestID.write(into: requestID, random: &random)
        head.block.append(.xRequestID, "x-request-id", requestID, RequestID.length)
        head.block.append(.xEnvoyAttemptCount, "x-envoy-attempt-count", value: "1")
        if let tls = downstream.pointee.tls { tls._withUnsafeGuaranteedRef { addCertificate(of: $0, head) } }
    }
}

extension ForwardedHeaders {
    /// Describes the client's certificate, if it has shown one.
    private static func addCertificate(of layer: TLSServerLayer, _ head: RequestHead) {
        layer.clientCertificate.withUnsafeBytes { value in
            guard !value.isEmpty else { return }
            // Copied: what goes upstream may live longer than the client's connection.
            head.block.append(.xForwardedClientCert, "x-forwarded-client-cert", copying: value)
        }
    }
}

/// The `x-forwarded-for` lines of a request, which become one with the peer at its end (RFC 9110 section 5.3).
private struct ForwardedFor {
    private var first = -1
    private var last = -1
    private var bytes = 0

    /// Takes note of a line; it will not be forwarded as it is.
    mutating func note(_ fields: UnsafeMutablePointer<HeaderField>, _ index: Int) {
        fields[index].removed = true
        guard fields[index].valueLength > 0 else { return }
        if first < 0 { first = index }
        last = index
        bytes += Int(fields[index].valueLength) + 1
    }

    /// Adds the joined line.
    func append(_ block: inout HeaderBlock, _ peer: UnsafeMutablePointer<UInt8>, _ peerLength: Int) {
        guard first >= 0 else { return block.append(.xForwardedFor, "x-forwarded-for", peer, peerLength) }
        let value = block.reserve(bytes + peerLength)
        var at = value
        for index in first...last where block.fields[index].token == .xForwardedFor {
            let length = Int(block.fields[index].valueLength)
            guard length > 0 else { continue }
            memcpy(at, block.fields[index].value, length)
            at[length] = UInt8(ascii: ",")
            at += length + 1
        }
        memcpy(at, peer, peerLength)
        block.append(.xForwardedFor, "x-forwarded-for", value, bytes + peerLength)
    }
}

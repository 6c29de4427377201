import Glibc

/// The request headers an edge gateway owns (Istio's gateway without trusted proxies; semantics 6.1).
enum ForwardedHeaders {
    /// Rewrites the head of a request on its way upstream: forwarding headers are ours, control headers are stripped.
    static func prepare(_ head: RequestHead, downstream: DownstreamInfo, random: inout FastRandom) {
        let fields = head.block.fields
        var forwardedFor = -1
        for index in 0..<head.block.count {
            switch fields[index].token {
            case .xForwardedFor where !fields[index].removed:
                // Several lines become one list, in order (RFC 9110 section 5.3).
                if forwardedFor >= 0 {
                    join(&head.block, forwardedFor, index)
                    fields[index].removed = true
                } else {
                    forwardedFor = index
                }
            case .xForwardedProto, .xRequestID, .xEnvoyExternalAddress, .xEnvoyAttemptCount, .xEnvoyControl,
                .xForwardedClientCert:
                fields[index].removed = true
            default:
                break
            }
        }
        let peer = head.block.reserve(SocketAddress.maxHostText)
        let peerLength = downstream.peer.writeHost(into: peer)
        appendPeer(&head.block, forwardedFor, peer, peerLength)
        head.block.append(.xForwardedProto, "x-forwarded-proto", value: downstream.scheme == .https ? "https" : "http")
        head.block.append(.xEnvoyExternalAddress, "x-envoy-external-address", peer, peerLength)
        let requestID = head.block.reserve(RequestID.length)
        RequestID.write(into: requestID, random: &random)
        head.block.append(.xRequestID, "x-request-id", requestID, RequestID.length)
        head.block.append(.xEnvoyAttemptCount, "x-envoy-attempt-count", value: "1")
    }

    private static func join(_ block: inout HeaderBlock, _ first: Int, _ second: Int) {
        let fields = block.fields
        let lengths = (Int(fields[first].valueLength), Int(fields[second].valueLength))
        let value = block.reserve(lengths.0 + 1 + lengths.1)
        memcpy(value, fields[first].value, lengths.0)
        value[lengths.0] = UInt8(ascii: ",")
        memcpy(value + lengths.0 + 1, fields[second].value, lengths.1)
        fields[first].value = UnsafePointer(value)
        fields[first].valueLength = UInt32(lengths.0 + 1 + lengths.1)
    }

    private static func appendPeer(
        _ block: inout HeaderBlock, _ index: Int, _ peer: UnsafeMutablePointer<UInt8>, _ peerLength: Int
    ) {
        let length = index < 0 ? 0 : Int(block.fields[index].valueLength)
        guard length > 0 else {
            if index >= 0 { block.fields[index].removed = true }
            block.append(.xForwardedFor, "x-forwarded-for", peer, peerLength)
            return
        }
        let value = block.reserve(length + 1 + peerLength)
        memcpy(value, block.fields[index].value, length)
        value[length] = UInt8(ascii: ",")
        memcpy(value + length + 1, peer, peerLength)
        block.fields[index].value = UnsafePointer(value)
        block.fields[index].valueLength = UInt32(length + 1 + peerLength)
    }
}

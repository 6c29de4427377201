/// Connections to endpoints that carry no requests: they belong to no pool.
extension ConnectionPool {
    struct StreamSocket {
        let descriptor: Int32
        let transport: Transport
    }

    /// Opens one, which whoever asks for it owns and counts; with code 0 there are as many as there may be.
    func openStream() -> Result<StreamSocket, SocketError> {
        guard host.hasRoomForUpstream() else {
            host.overflowCount += 1
            return .failure(SocketError(operation: "connect", code: 0))
        }
        host.connectCount += 1
        switch address.withSockAddr({ Socket.connect($0, $1) }) {
        case .success(let socket):
            host.upstreamCount += 1
            return .success(StreamSocket(descriptor: socket.descriptor, transport: .plain))
        case .failure(let error):
            host.connectFailureCount += 1
            return .failure(error)
        }
    }
}

/// Addresses of connections, for the access log.
extension Worker {
    /// Both ends of a client's connection, as far as the access log wants them.
    ///
    /// `local`: of a connection that has no socket any more.
    func fillAddresses(
        _ downstream: inout DownstreamInfo, _ connection: Connection, local: EndpointAddress? = nil
    ) {
        guard let accessLogger else { return }
        if accessLogger.wantsDownstreamLocal {
            downstream.local =
                (local ?? EndpointAddress(connection.localAddress)).flatMap { localTexts.text(of: $0) }
                ?? connection.localText
        }
        if accessLogger.wantsDownstreamRemote { downstream.remote = connection.peerText(downstream.peer) }
        if accessLogger.wantsDownstreamDirect, expectsProxyHeader(downstream.listener) {
            downstream.direct = connection.directText
        }
    }
}

/// The two ends of a connection, as addresses and as the access log writes them.
extension Connection {
    /// Our end as text; the kernel is asked once, and gives it out when a connection is begun.
    var localText: LogAddress? {
        if localLogText == nil, let address = EndpointAddress(localAddress) { localLogText = LogAddressText(address) }
        return localLogText?.address
    }
    /// The peer's end as text, which whoever accepted the connection knows.
    func peerText(_ peer: EndpointAddress) -> LogAddress {
        if let known = peerLogText?.address { return known }
        let text = LogAddressText(peer)
        let address = text.address
        peerLogText = consume text
        return address
    }
    /// The other end of the socket as text, whoever it speaks for; the kernel is asked once.
    var directText: LogAddress? {
        if directLogText == nil, descriptor >= 0, let address = EndpointAddress(Socket.peerAddress(descriptor)) {
            directLogText = LogAddressText(address)
        }
        return directLogText?.address
    }
    var localAddress: SocketAddress { descriptor >= 0 ? Socket.localAddress(descriptor) : SocketAddress() }
}

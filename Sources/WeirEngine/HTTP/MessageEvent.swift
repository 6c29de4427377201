/// The one language all codecs speak, towards the exchange and from it.
///
/// Order on each side: a head, any number of bodies, maybe trailers, an end; or a reset at any moment, after which nothing comes.
/// Responses may be preceded by informational heads.
///
/// A request that asks for a tunnel (`RequestHead.wantsUpgrade`) is not `last`: a 101 turns what follows on both sides into
/// bytes without framing, each side with an end of its own. Any other answer makes it a request without a body: no `end` of it
/// is sent, and the codec that has sent it takes it for ended. The client's bytes that come before are kept by the exchange.
/// A codec that has no 101 (RFC 8441) says and hears 200 in its place.
enum MessageEvent: ~Copyable {
    /// `last`: no body follows and no `end` either.
    case request(RequestHead, last: Bool)
    /// `last`: as above. Never set on an informational head.
    case response(ResponseHead, last: Bool)
    /// The slice changes hands.
    case body(ByteSlice)
    /// Only between codecs that carry trailers.
    case trailers(Trailers)
    case end
    case reset(ProxyError)
}

extension BodyFraming {
    /// No byte of a body follows the head.
    var isEmpty: Bool { self == .none || self == .length(0) }
}

/// Header lines behind a body.
final class Trailers {
    var block = HeaderBlock()
    var backing: ByteSlice?
}

/// Takes the events of a request: what an exchange is to the codecs on both sides of it.
///
/// A class and not a protocol, so that codecs can borrow it (see `Borrowed`); each side calls the methods that are its own.
class MessageSink {
    // From the side the request comes from.

    func receive(fromDownstream event: consuming MessageEvent) { Self.isAbstract() }
    /// The client's queue has room again after `isCongested`.
    func downstreamHasRoom() {}

    // From the side it goes to.

    func receive(fromUpstream event: consuming MessageEvent) { Self.isAbstract() }
    /// The upstream's queue has room again after `isCongested`.
    func upstreamHasRoom() {}
    /// The connection that the request waited for is there (see `ClientStream.reach`).
    func upstreamConnected() {}
    /// Who the request comes from, for endpoints that are told in a PROXY protocol header.
    var proxiedEnds: ProxiedEnds? { nil }
    /// The pooled connection turned out to be closed before it took a byte: the request goes over this one instead.
    func leaseMoved(to stream: Borrowed<ClientStream>) { Self.isAbstract() }

    private static func isAbstract() -> Never { preconditionFailure("\(self) does not take part on this side") }
}

/// One stream of a codec: a request being served, or one being sent.
///
/// Loop thread only.
class MessageStream {
    func send(_ event: consuming MessageEvent) { isAbstract() }
    /// More is queued than the peer takes: pause the other side until the sink hears of room.
    var isCongested: Bool { isAbstract() }
    /// Stops and starts the flow of bodies from this stream's peer.
    func pauseReading() { isAbstract() }
    func resumeReading() { isAbstract() }

    fileprivate func isAbstract() -> Never { preconditionFailure("\(type(of: self)) lacks a stream's method") }
}

/// The side a request came from.
///
/// Stays alive until its sink has heard of the reset, or it has heard of the exchange's end.
class ServerStream: MessageStream {
    /// What proxies in front of the gateway say of the present request's client; `nil` where none is trusted.
    ///
    /// Its exchange keeps it.
    final var trustedClient: Unmanaged<TrustedClient>?
    /// What the client's connection is, which its codec keeps for as long as the connection; set before an exchange begins.
    final var connectionInfo: UnsafePointer<DownstreamInfo>?
    /// The request's head, valid until the exchange has ended.
    var requestHead: RequestHead { isAbstract() }
    /// Bytes the current answer's head took on the wire; 0 before it was sent.
    var sentHeadBytes: Int { isAbstract() }
    /// Both ends of the client's connection as text, the client's first; asks the kernel once a connection.
    var addresses: (client: LogAddress?, own: LogAddress?) { (nil, nil) }
    /// Who is at the other end of the socket, whoever it speaks for; asks the kernel once a connection.
    var directAddress: LogAddress? { nil }
    /// Our end of the client's connection; asks the kernel.
    var ownAddress: EndpointAddress? { nil }
    /// The sink is done with this stream: the answer is complete, or was reset.
    func exchangeEnded() { isAbstract() }
}

/// The side a request goes to.
///
/// Stays alive until its sink has heard of the answer's end or of the reset, or has cancelled it.
class ClientStream: MessageStream {
    /// The sink is gone; the connection is closed unless it can carry another request.
    func cancel() { isAbstract() }
    /// How far it has come on the way to its endpoint.
    enum Reach {
        /// There is no connection for it yet, for want of a permit.
        case queued
        case connecting
        /// A connection stands that takes it.
        case connected
    }

    /// Its sink is told of a change, as of a reset.
    var reach: Reach { .connected }
    /// Our end of the connection; asks the kernel once a connection.
    var localAddress: LogAddress? { nil }
    /// Bytes of the request that wait to be sent, its head's and those that frame it included.
    var queuedBytes: Int { isAbstract() }
    /// What follows a body is passed on, as gRPC needs it.
    var carriesTrailers: Bool { false }
}

/// Calls through a borrowed reference, without counting.
extension Borrowed where Object: MessageStream {
    func send(_ event: consuming MessageEvent) {
        // A closure cannot consume what it captures, but it can take it out of an optional.
        var moved = Optional(event)
        with { stream in
            guard let event = moved.take() else { return }
            stream.send(event)
        }
    }
    var isCongested: Bool { with { $0.isCongested } }
    func pauseReading() { with { $0.pauseReading() } }
    func resumeReading() { with { $0.resumeReading() } }
}

extension Borrowed where Object: ServerStream {
    /// What the client's connection is.
    var connectionInfo: UnsafePointer<DownstreamInfo> {
        with { stream in
            guard let info = stream.connectionInfo else { preconditionFailure("a stream without a connection") }
            return info
        }
    }
    /// The same with the request's client where proxies are trusted to name it; valid until it is asked for again.
    var downstream: UnsafePointer<DownstreamInfo> {
        let info = connectionInfo
        guard let trusted = with({ $0.trustedClient }) else { return info }
        return trusted._withUnsafeGuaranteedRef { $0.corrected(info) }
    }
    /// The connection's two ends, whoever the request is from.
    var proxiedEnds: ProxiedEnds? {
        with { stream in
            stream.ownAddress.map { ProxiedEnds(client: connectionInfo.pointee.peer, own: $0) }
        }
    }
    var requestHead: RequestHead { with { $0.requestHead } }
    var sentHeadBytes: Int { with { $0.sentHeadBytes } }
    var addresses: (client: LogAddress?, own: LogAddress?) {
        with { stream in
            var addresses = stream.addresses
            if let trusted = stream.trustedClient {
                addresses.client = trusted._withUnsafeGuaranteedRef { $0.addressText } ?? addresses.client
            }
            return addresses
        }
    }
    func exchangeEnded() { with { $0.exchangeEnded() } }
}

extension Borrowed where Object: ClientStream {
    func cancel() { with { $0.cancel() } }
    var reach: ClientStream.Reach { with { $0.reach } }
    var localAddress: LogAddress? { with { $0.localAddress } }
    var queuedBytes: Int { with { $0.queuedBytes } }
    var carriesTrailers: Bool { with { $0.carriesTrailers } }
}

extension Borrowed where Object: MessageSink {
    func receive(fromDownstream event: consuming MessageEvent) {
        var moved = Optional(event)
        with { sink in
            guard let event = moved.take() else { return }
            sink.receive(fromDownstream: event)
        }
    }
    func receive(fromUpstream event: consuming MessageEvent) {
        var moved = Optional(event)
        with { sink in
            guard let event = moved.take() else { return }
            sink.receive(fromUpstream: event)
        }
    }
    func downstreamHasRoom() { with { $0.downstreamHasRoom() } }
    func upstreamHasRoom() { with { $0.upstreamHasRoom() } }
    func upstreamConnected() { with { $0.upstreamConnected() } }
    func leaseMoved(to stream: Borrowed<ClientStream>) { with { $0.leaseMoved(to: stream) } }
}

/// What an exchange may know of its client's connection.
struct DownstreamInfo {
    /// The client's end.
    var peer: EndpointAddress
    /// Index of the listener the connection came in on.
    var listener: Int
    var scheme: Scheme
    /// Our end of the connection, where the access log's format asks for it; borrowed from the connection.
    var local: LogAddress?
    /// The client's, likewise.
    var remote: LogAddress?
    /// Who is at the other end of the socket, where that is not the client; likewise.
    var direct: LogAddress?
    /// Different for every connection of the process.
    var connectionID: UInt64 = 0
    /// What the log asks of the connection's beginnings; borrowed from the connection.
    var layer: Unmanaged<TransportLayer>?
    /// What the connection's TLS is, where it has one; borrowed from the connection.
    var tls: Unmanaged<TLSServerLayer>?

    /// The connection is from a proxy that speaks for this client.
    mutating func speak(for target: EndpointTarget, port: UInt16) {
        peer = EndpointAddress(target, port: port)
    }

    /// A peer that has no IP address, as over a unix socket, counts as 0.0.0.0.
    init(peer: SocketAddress, listener: Int, scheme: Scheme) {
        self.peer = EndpointAddress(peer) ?? EndpointAddress(.ipv4(0), port: 0)
        self.listener = listener
        self.scheme = scheme
    }

    /// A copy in memory of its own, which whoever asks for it deallocates: requests look at it there.
    func placed() -> UnsafePointer<DownstreamInfo> {
        let place = UnsafeMutablePointer<DownstreamInfo>.allocate(capacity: 1)
        place.initialize(to: self)
        return UnsafePointer(place)
    }
}

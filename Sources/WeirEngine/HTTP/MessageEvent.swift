/// The one language all codecs speak, towards the exchange and from it.
///
/// Order on each side: a head, any number of bodies, maybe trailers, an end; or a reset at any moment, after which nothing comes.
/// Responses may be preceded by informational heads.
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

/// Takes the events of the side a request comes from; what an exchange is to a server codec.
protocol RequestSink: AnyObject {
    func receive(fromDownstream event: consuming MessageEvent)
    /// The client's queue has room again after `isCongested`.
    func downstreamHasRoom()
}

/// Takes the events of the side a request goes to; what an exchange is to a client codec.
protocol ResponseSink: AnyObject {
    func receive(fromUpstream event: consuming MessageEvent)
    /// The upstream's queue has room again after `isCongested`.
    func upstreamHasRoom()
    /// The pooled connection turned out to be closed before it took a byte: the request goes over this one instead.
    func leaseMoved(to stream: any ClientStream)
}

/// One stream of a codec: a request being served, or one being sent.
///
/// Loop thread only.
protocol MessageStream: AnyObject {
    func send(_ event: consuming MessageEvent)
    /// More is queued than the peer takes: pause the other side until the sink hears of room.
    var isCongested: Bool { get }
    /// Stops and starts the flow of bodies from this stream's peer.
    func pauseReading()
    func resumeReading()
}

/// The side a request came from.
protocol ServerStream: MessageStream {
    var downstream: DownstreamInfo { get }
    /// The request's head, valid until the exchange has ended.
    var requestHead: RequestHead { get }
    /// Bytes the current answer's head took on the wire; 0 before it was sent.
    var sentHeadBytes: Int { get }
    /// The sink is done with this stream: the answer is complete, or was reset.
    func exchangeEnded()
}

/// The side a request goes to.
protocol ClientStream: MessageStream {
    /// The sink is gone; the connection is closed unless it can carry another request.
    func cancel()
}

/// What an exchange may know of its client's connection.
struct DownstreamInfo {
    var peer: SocketAddress
    /// Index of the listener the connection came in on.
    var listener: Int
    var scheme: Scheme
}

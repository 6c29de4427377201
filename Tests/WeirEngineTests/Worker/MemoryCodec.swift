import Glibc

@testable import WeirEngine

/// A frame of the in-memory multiplexed protocol: what HTTP/2 has, without its bytes.
enum MemoryFrame {
    case head(stream: Int, status: Int)
    case data(stream: Int, bytes: [UInt8])
    case trailer(stream: Int, name: String, value: String)
    case end(stream: Int)
    case reset(stream: Int)
}

/// The sending half of a stream: owned slices queue here and leave only as far as the peer has granted credit.
struct MemorySender: ~Copyable {
    private var queue = BufferChain()
    private var hasEnd = false
    private var endSent = false
    private(set) var mostQueued = 0
    var credit = 0
    let stream: Int

    init(stream: Int) { self.stream = stream }

    var queued: Int { queue.count }

    mutating func append(_ slice: consuming ByteSlice, _ pool: BufferPool) {
        queue.append(slice, pool: pool)
        mostQueued = max(mostQueued, queue.count)
    }

    mutating func end() { hasEnd = true }
    mutating func drop() { queue.removeAll() }

    /// Pulls what the credit allows, as a framing library would.
    mutating func pull(_ emit: (MemoryFrame) -> Void) {
        while credit > 0, var slice = queue.popFirst() {
            let length = min(credit, slice.count)
            emit(.data(stream: stream, bytes: [UInt8](slice.buffer.prefix(length))))
            credit -= length
            slice.removeFirst(length)
            guard slice.count > 0 else { continue }
            // Back in front of the rest.
            var rest = BufferChain()
            swap(&rest, &queue)
            let pool = slice.chunk.header.pointee.pool
            queue.append(slice, pool: pool)
            while let next = rest.popFirst() { queue.append(next, pool: pool) }
        }
        if hasEnd, !endSent, queue.isEmpty {
            endSent = true
            emit(.end(stream: stream))
        }
    }
}

/// A server connection with many streams at once, in memory.
final class MemoryServerConnection {
    /// As HTTP/2 would bound a stream's queue.
    static let highMark = 64 * 1024
    static let lowMark = 16 * 1024

    /// A generation that sends every request to one port of this machine.
    static func snapshot(
        origin port: Int, _ shared: ClusterShared? = nil, configure: (inout ClusterSpec) -> Void = { _ in }
    ) -> Snapshot {
        guard let target = EndpointTarget("127.0.0.1") else { preconditionFailure("an address") }
        var spec = ClusterSpec(name: "outbound|80||origin")
        spec.endpoints = [ClusterSpec.Endpoint(target, port: UInt16(port))]
        configure(&spec)
        let route = RouteSpec(
            conditions: [],
            destinations: [RouteSpec.Destination(clusterID: 0, weight: 1, clusterName: spec.name)],
            origin: RouteOrigin(resource: "VirtualService default/origin", file: "test", line: 1))
        let host = ListenerPlan.Host(pattern: "*", plan: VirtualHostPlan(routes: [route]))
        return Snapshot(
            generation: 1, listeners: [ListenerPlan(port: 80, bind: nil, hosts: [host])],
            clusters: [ClusterPlan(id: 0, spec: spec, shared: shared)], clusterCapacity: 1)
    }

    let worker: Worker
    private(set) var streams: [Int: MemoryServerStream] = [:]
    var sent: [MemoryFrame] = []

    init(worker: Worker) { self.worker = worker }

    /// `prepare` changes the head before it is told.
    func open(
        stream id: Int, path: String, hasBody: Bool, prepare: (RequestHead) -> Void = { _ in }
    ) -> MemoryServerStream {
        let stream = MemoryServerStream(id: id, connection: self, path: path, hasBody: hasBody)
        prepare(stream.requestHead)
        streams[id] = stream
        stream.begin()
        return stream
    }

    func closed(_ stream: MemoryServerStream) { streams[stream.id] = nil }
}

final class MemoryServerStream: ServerStream {
    let id: Int
    private let connection: MemoryServerConnection
    private let head: RequestHead
    override var requestHead: RequestHead { head }
    private let client: UnsafePointer<DownstreamInfo>
    private var sink: Borrowed<MessageSink>?
    private var sender: MemorySender
    private var wasCongested = false
    private let hasBody: Bool
    private(set) var isPaused = false
    private(set) var ended = false
    override var sentHeadBytes: Int { 0 }
    private(set) var wasReset = false
    /// Of the answer.
    private(set) var headers: [String: String] = [:]

    init(id: Int, connection: MemoryServerConnection, path: String, hasBody: Bool) {
        self.id = id
        self.connection = connection
        self.hasBody = hasBody
        sender = MemorySender(stream: id)
        head = connection.worker.takeRequestHead()
        guard let peer = SocketAddress(numericHost: "192.0.2.7", port: 1234) else { preconditionFailure("an address") }
        client = DownstreamInfo(peer: peer, listener: 0, scheme: .https).placed()
        super.init()
        connectionInfo = client
        fill(path)
    }

    deinit { client.deallocate() }

    /// Pseudo-headers become a head, as a HEADERS frame's would.
    private func fill(_ path: String) {
        let text = Array("POST\(path)mux.example.com".utf8)
        let slice = ByteSlice(text, connection.worker.loop.pool)
        let start = slice.bytes
        requestHead.backing = slice.share()
        requestHead.method = .post
        requestHead.methodBytes = UnsafeRawBufferPointer(start: start, count: 4)
        requestHead.target = UnsafeMutableRawBufferPointer(start: start + 4, count: path.utf8.count)
        requestHead.pathLength = path.utf8.count
        requestHead.authority = UnsafeRawBufferPointer(start: start + 4 + path.utf8.count, count: 15)
        requestHead.hostLength = 15
        requestHead.framing = hasBody ? .chunked : .none
    }

    func begin() {
        let sink = connection.worker.beginExchange(on: Borrowed(self))
        self.sink = sink
        sink.receive(fromDownstream: .request(requestHead, last: !hasBody))
    }

    /// A DATA frame from the client.
    ///
    /// Returns whether its bytes may be credited to the peer at once.
    func data(_ bytes: [UInt8]) -> Bool {
        let slice = ByteSlice(bytes, connection.worker.loop.pool)
        sink?.receive(fromDownstream: .body(slice))
        return !isPaused
    }

    func trailers(_ name: StaticString, _ value: StaticString) {
        let trailers = Trailers()
        trailers.block.append(.other, name, value: value)
        sink?.receive(fromDownstream: .trailers(trailers))
    }

    func clientEnded() { sink?.receive(fromDownstream: .end) }

    /// RST_STREAM.
    func clientReset() {
        let sink = sink
        self.sink = nil
        sink?.receive(fromDownstream: .reset(ProxyError(source: .downstream, cause: .connectionClosed)))
        release()
    }

    /// WINDOW_UPDATE.
    func grant(_ credit: Int) {
        sender.credit += credit
        sender.pull { connection.sent.append($0) }
        guard wasCongested, sender.queued <= MemoryServerConnection.lowMark else { return }
        wasCongested = false
        sink?.downstreamHasRoom()
    }

    var mostQueued: Int { sender.mostQueued }

    // MARK: ServerStream

    override var isCongested: Bool {
        guard sender.queued >= MemoryServerConnection.highMark else { return false }
        wasCongested = true
        return true
    }

    override func pauseReading() { isPaused = true }
    override func resumeReading() { isPaused = false }

    override func send(_ event: consuming MessageEvent) {
        switch consume event {
        case .response(let head, let last):
            connection.sent.append(.head(stream: id, status: head.status))
            for field in head.block.lines where !field.removed {
                headers[String(decoding: field.nameBytes, as: UTF8.self)] = String(
                    decoding: field.valueBytes, as: UTF8.self)
            }
            if last { sender.end() }
        case .body(let slice):
            sender.append(slice, connection.worker.loop.pool)
        case .trailers(let trailers):
            let field = trailers.block.fields[0]
            connection.sent.append(
                .trailer(
                    stream: id, name: String(decoding: field.nameBytes, as: UTF8.self),
                    value: String(decoding: field.valueBytes, as: UTF8.self)))
        case .end:
            sender.end()
        case .reset:
            wasReset = true
            sender.drop()
            connection.sent.append(.reset(stream: id))
        case .request:
            preconditionFailure("a server stream does not send requests")
        }
        sender.pull { connection.sent.append($0) }
    }

    override func exchangeEnded() {
        sink = nil
        ended = true
        release()
    }

    private func release() {
        connection.worker.recycle(requestHead)
        connection.worker.loop.releaseLater(self)
        connection.closed(self)
    }
}

/// One connection to an upstream that carries every request of its pool at once, and echoes each body.
final class MemoryPool: ConnectionPool {
    private(set) var streams: [MemoryClientStream] = []
    /// Bytes the upstream takes before it has to be granted more.
    var initialCredit = Int.max
    /// What is leased waits for its connection until it is told that it is there.
    var isConnecting = false

    override func lease(for head: RequestHead, to sink: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        let stream = MemoryClientStream(id: streams.count, sink: sink, host: host, credit: initialCredit)
        stream.waits = isConnecting
        streams.append(stream)
        return Borrowed(stream)
    }
}

final class MemoryClientStream: ClientStream {
    let id: Int
    private var sink: Borrowed<MessageSink>?
    private let host: ServerHost
    private var sender: MemorySender
    private var wasCongested = false
    private(set) var path = ""
    private(set) var forwardedFor = ""
    private(set) var isPaused = false
    private(set) var isCancelled = false
    private(set) var gotEnd = false
    /// What the upstream has read of the request's body.
    private(set) var received: [UInt8] = []
    /// Somebody waits for its answer.
    var isAwaited: Bool { sink != nil }
    private(set) var receivedTrailer: String?
    private(set) var headers: [String: String] = [:]
    override var queuedBytes: Int { sender.queued }
    override var carriesTrailers: Bool { true }
    fileprivate(set) var waits = false
    override var reach: Reach { waits ? .connecting : .connected }

    init(id: Int, sink: Borrowed<MessageSink>, host: ServerHost, credit: Int) {
        self.id = id
        self.sink = sink
        self.host = host
        sender = MemorySender(stream: id)
        sender.credit = credit
    }

    var mostQueued: Int { sender.mostQueued }

    override var isCongested: Bool {
        guard sender.queued >= MemoryServerConnection.highMark else { return false }
        wasCongested = true
        return true
    }

    override func pauseReading() { isPaused = true }
    override func resumeReading() { isPaused = false }

    override func cancel() {
        isCancelled = true
        sink = nil
        sender.drop()
    }

    override func send(_ event: consuming MessageEvent) {
        switch consume event {
        case .request(let head, let last):
            path = String(decoding: head.path, as: UTF8.self)
            for field in head.block.lines where !field.removed {
                headers[String(decoding: field.nameBytes, as: UTF8.self)] = String(
                    decoding: field.valueBytes, as: UTF8.self)
            }
            let index = head.block.firstIndex(of: .xForwardedFor)
            if index >= 0 { forwardedFor = String(decoding: head.block.fields[index].valueBytes, as: UTF8.self) }
            if last { sender.end() }
        case .body(let slice): sender.append(slice, host.loop.pool)
        case .trailers(let trailers):
            receivedTrailer = String(decoding: trailers.block.fields[0].nameBytes, as: UTF8.self)
        case .end: sender.end()
        case .reset: cancel()
        case .response: preconditionFailure("a client stream does not send responses")
        }
        pull()
    }

    /// The connection is there.
    func connect() {
        waits = false
        sink?.upstreamConnected()
    }

    /// The upstream can take so many bytes more.
    func grant(_ credit: Int) {
        sender.credit += credit
        pull()
        guard wasCongested, sender.queued <= MemoryServerConnection.lowMark else { return }
        wasCongested = false
        sink?.upstreamHasRoom()
    }

    private func pull() {
        sender.pull { frame in
            switch frame {
            case .data(_, let bytes): received += bytes
            case .end: gotEnd = true
            default: break
            }
        }
    }

    // MARK: What the upstream answers

    func answer(status: Int, last: Bool = false, prepare: (ResponseHead) -> Void = { _ in }) {
        let head = host.takeResponseHead()
        head.status = status
        head.framing = last ? .none : .chunked
        prepare(head)
        sink?.receive(fromUpstream: .response(head, last: last))
        host.recycle(head)
        if last { sink = nil }
    }

    func answer(body: [UInt8]) {
        let slice = ByteSlice(body, host.loop.pool)
        sink?.receive(fromUpstream: .body(slice))
    }

    func answer(trailer name: StaticString, _ value: StaticString) {
        let trailers = Trailers()
        trailers.block.append(
            HeaderName.lookup(name.utf8Start, length: name.utf8CodeUnitCount), name, value: value)
        sink?.receive(fromUpstream: .trailers(trailers))
    }

    func answerEnd() {
        let sink = sink
        self.sink = nil
        sink?.receive(fromUpstream: .end)
    }

    func fail(_ cause: ProxyError.Cause = .connectionClosed) {
        let sink = sink
        self.sink = nil
        sink?.receive(fromUpstream: .reset(ProxyError(source: .upstream, cause: cause)))
    }
}

/// A worker whose endpoints are in memory: both sides of an exchange speak a multiplexed protocol without a socket.
final class MemoryWorker: Worker {
    private(set) var pools: [MemoryPool] = []
    var upstreamCredit = Int.max

    override func makePool(to address: EndpointAddress, _ plan: ClusterPlan) -> ConnectionPool {
        let pool = MemoryPool(host: self, address: address, plan: plan)
        pool.initialCredit = upstreamCredit
        pools.append(pool)
        return pool
    }

    let retired: RetiredSnapshots
    private let mail: Mailbox<WorkerMessage>

    private init(mail: Mailbox<WorkerMessage>, retired: RetiredSnapshots) {
        self.mail = mail
        self.retired = retired
        super.init(index: 0, mailbox: mail, serverName: ServerName("weir"), retired: retired)
    }

    /// A worker that serves one route to one cluster on listener slot 0.
    static func serving(
        upstreamCredit: Int = .max, timeoutMilliseconds: Int = 0, retry: RetrySpec = .none,
        configure: (inout ClusterSpec) -> Void = { _ in }
    ) throws -> MemoryWorker {
        let worker = MemoryWorker(mail: Mailbox(), retired: RetiredSnapshots(notify: {}))
        worker.upstreamCredit = upstreamCredit
        worker.adopt(
            try Self.snapshot(timeoutMilliseconds: timeoutMilliseconds, retry: retry, configure: configure))
        return worker
    }

    /// Posts the generation and lets the worker take it.
    func adopt(_ snapshot: Snapshot) {
        mail.post(
            .adopt(snapshot, slots: snapshot.listeners.indices.map { $0 }, ticket: AdoptionTicket(workers: 1, done: {}))
        )
        loop.tick(wait: true)
    }

    /// What the worker reports of itself.
    func report() -> EngineStats {
        let answer = Guarded(EngineStats())
        mail.post(.stats(StatsCollector(workers: 1) { stats in answer.withLock { $0 = stats } }))
        loop.tick(wait: true)
        return answer.withLock { $0 }
    }

    static func snapshot(
        generation: UInt64 = 1, endpoints: [String] = ["192.0.2.1"], hasCluster: Bool = true,
        timeoutMilliseconds: Int = 0, retry: RetrySpec = .none, configure: (inout ClusterSpec) -> Void = { _ in }
    ) throws -> Snapshot {
        var spec = ClusterSpec(name: "outbound|80||echo")
        spec.endpoints = try endpoints.map { text in
            guard let target = EndpointTarget(text) else { throw NotAnAddress() }
            return ClusterSpec.Endpoint(target, port: 80)
        }
        configure(&spec)
        var route = RouteSpec(
            conditions: [],
            destinations: [
                RouteSpec.Destination(clusterID: hasCluster ? 0 : -1, weight: 1, clusterName: spec.name)
            ],
            origin: RouteOrigin(resource: "VirtualService default/echo", file: "test", line: 1))
        route.timeoutMilliseconds = timeoutMilliseconds
        route.retry = retry
        let host = ListenerPlan.Host(pattern: "*", plan: VirtualHostPlan(routes: [route]))
        return Snapshot(
            generation: generation, listeners: [ListenerPlan(port: 80, bind: nil, hosts: [host])],
            clusters: hasCluster ? [ClusterPlan(id: 0, spec: spec)] : [], clusterCapacity: 1)
    }

    private struct NotAnAddress: Error {}
}

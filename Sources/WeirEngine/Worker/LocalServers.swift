import Glibc

/// A request to one of the process's own servers, read whole; its body is dropped.
package struct LocalRequest: Sendable {
    package var method: String
    /// Normalised, without the query.
    package var path: String
    /// Behind the `?`, or empty.
    package var query: String
    /// Names in lower case.
    package var headers: [(name: String, value: String)]
}

/// The answer of a local server: whole, or made piece by piece as the client takes it.
package struct LocalResponse: Sendable {
    enum Body: Sendable {
        case whole([UInt8])
        case stream(@Sendable () -> LocalPiece)
        case later(@Sendable (LocalCompletion) -> Void)
    }

    let status: Int
    let contentType: String
    let headers: [(name: String, value: String)]
    let body: Body

    package init(
        status: Int, contentType: String = "text/plain; charset=utf-8",
        headers: [(name: String, value: String)] = [], body: [UInt8]
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = .whole(body)
    }

    /// `stream` is called on the server's thread whenever the client can take more; `nil` ends the body.
    package init(
        status: Int, contentType: String, headers: [(name: String, value: String)] = [],
        stream: @escaping @Sendable () -> [UInt8]?
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = .stream { stream().map(LocalPiece.bytes) ?? .end }
    }

    /// As above, for a body that may have to be broken off.
    package init(status: Int, contentType: String, pieces: @escaping @Sendable () -> LocalPiece) {
        self.status = status
        self.contentType = contentType
        headers = []
        body = .stream(pieces)
    }

    /// The answer comes when `completion.send` is called, on whatever thread.
    ///
    /// `begin` is called at once, on the servers' thread.
    package init(later begin: @escaping @Sendable (_ completion: LocalCompletion) -> Void) {
        status = 0
        contentType = ""
        headers = []
        body = .later(begin)
    }
}

/// A piece of a body.
package enum LocalPiece: Sendable {
    case bytes([UInt8])
    case end
    /// The rest cannot be had: the connection is cut, so that nobody takes the beginning for the whole.
    case cut
}

/// The door back to a request that is waiting for its answer.
package struct LocalCompletion: Sendable {
    fileprivate let mailbox: Mailbox<LocalMessage>
    fileprivate let number: UInt64

    /// Answers, if the client still waits; once.
    package func send(_ response: LocalResponse) { mailbox.post(.answer(number, response)) }
}

/// Small HTTP servers for admin, health and the demo, on one thread of their own; the same connections and codec as the gateway.
package final class LocalServers: Sendable {
    package typealias Handler = @Sendable (LocalRequest) -> LocalResponse

    /// Connections to one of the servers; a further one is closed at once.
    ///
    /// Each server has its own: a flood at the metrics port must not silence a probe at another.
    package static let maxConnections = 128
    /// A connection without a request is closed after this long.
    package static let idleMilliseconds = 30_000
    /// At the end of a process whose successor serves: what was accepted before is answered for so long at most.
    package static let farewellMilliseconds = 5_000

    private struct State {
        var thread: pthread_t?
        /// What a successor is offered; the thread owns the descriptors.
        var offered: [OfferedSocket] = []
        var inherited: InheritedSockets?
        /// What may not be accepted on yet; `nil` = everything may.
        var held: [LocalMessage]?
    }

    private let name: String
    private let connections: Int
    private let idleMilliseconds: Int
    private let mailbox = Mailbox<LocalMessage>()
    private let state = Guarded(State())

    /// `connections`: how many each server may have.
    package init(name: String, connections: Int = maxConnections, idleMilliseconds: Int = idleMilliseconds) {
        self.name = name
        self.connections = max(min(connections, Self.maxConnections), 2)
        self.idleMilliseconds = idleMilliseconds
    }

    /// Listens on `HOST:PORT` (numeric host or `localhost`, port 0 picks one); returns the port.
    ///
    /// Never SO_REUSEPORT. A server with a `role` takes over what a predecessor had, and is offered to a successor.
    ///
    /// `handler` runs on the servers' thread and must not block.
    package func listen(
        _ address: String, role: ListenerRole? = nil, handler: @escaping Handler
    ) throws(SocketError) -> Int {
        guard let parsed = SocketAddress(text: address) else {
            throw SocketError(operation: "listen on \(address): not HOST:PORT with a numeric host", code: EINVAL)
        }
        var socket: Int32?
        if let role { socket = state.withLock { $0.inherited }?.takeLocal(role, at: parsed) }
        let descriptor = if let socket { socket } else { try Socket.listen(parsed, shared: false) }
        let message = LocalMessage.listen(socket: descriptor, handler: handler)
        let isHeld = state.withLock { state in
            if let role { state.offered.append(OfferedSocket(role, descriptor)) }
            state.held?.append(message)
            return state.held != nil
        }
        if !isHeld { mailbox.post(message) }
        return Int(Socket.localAddress(descriptor).port)
    }

    /// Servers found among these sockets are taken over, and nothing is accepted until `beginAccepting`.
    ///
    /// Before the first `listen`.
    package func inherit(_ sockets: InheritedSockets) {
        state.withLock { state in
            state.inherited = sockets
            state.held = []
        }
    }

    /// Accepts on what was opened and taken over so far, and on what will be at once.
    package func beginAccepting() {
        let held = state.withLock { state in
            defer { (state.held, state.inherited) = (nil, nil) }
            return state.held ?? []
        }
        for message in held { mailbox.post(message) }
    }

    /// The sockets of the servers with a role, for a successor; they stay this object's.
    package var offeredSockets: [OfferedSocket] { state.withLock { $0.offered } }

    /// Leaves these sockets to the successor that has them too; connections end with their next answer.
    package func handOver(_ sockets: Set<Int32>) {
        state.withLock { $0.offered = [] }
        mailbox.post(.handOver(sockets))
    }

    /// Runs `work` on the servers' thread, which must not be held up for long.
    package func post(_ work: @escaping @Sendable () -> Void) { mailbox.post(.work(work)) }

    package func start() {
        let (mailbox, connections, idleMilliseconds) = (mailbox, connections, idleMilliseconds)
        let started = Thread.start(name: name) {
            LocalHost(mailbox: mailbox, connections: connections, idleMilliseconds: idleMilliseconds).run()
        }
        state.withLock { $0.thread = started }
    }

    /// Closes every connection and waits for the thread to end.
    ///
    /// Where the servers were handed over, connections are answered first: their clients came before the successor.
    package func stop() {
        // What was never accepted on is closed by the thread as well.
        beginAccepting()
        mailbox.post(.stop)
        let running = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        if let running { pthread_join(running, nil) }
    }
}

private enum LocalMessage: Sendable {
    case listen(socket: Int32, handler: LocalServers.Handler)
    case work(@Sendable () -> Void)
    case answer(UInt64, LocalResponse)
    case handOver(Set<Int32>)
    case stop
}

/// Ends the wait for connections of servers that a successor has.
private final class FarewellTimer: LoopSource {
    private let passed: () -> Void

    init(_ loop: Loop, _ passed: @escaping () -> Void) {
        self.passed = passed
        super.init(loop: loop)
        setDeadline(afterMilliseconds: LocalServers.farewellMilliseconds)
    }

    override func deadlinePassed() { passed() }
}

private final class LocalHost: ServerHost, AcceptorOwner {
    private var acceptors: [Acceptor] = []
    private var handlers: [LocalServers.Handler] = []
    private var permits: [ListenerPermits] = []
    private let connections: Int
    /// Requests being answered; their streams only borrow them.
    private var exchanges: [ObjectIdentifier: LocalExchange] = [:]
    private var inbox: MailboxReader<LocalMessage>?
    private let serverName = ServerName("weir")
    private let mailbox: Mailbox<LocalMessage>
    /// Requests whose answer comes later.
    private var waiting: [UInt64: LocalExchange] = [:]
    private var lastNumber: UInt64 = 0
    /// A successor serves: what is left is answered before the end.
    private var isHandedOver = false
    private var farewell: FarewellTimer?

    init(mailbox: Mailbox<LocalMessage>, connections: Int, idleMilliseconds: Int) {
        self.connections = connections
        self.mailbox = mailbox
        super.init(loop: Loop())
        self.idleMilliseconds = idleMilliseconds
        inbox = MailboxReader(loop: loop, mailbox: mailbox) { [unowned self] in take($0) }
    }

    func run() {
        loop.run()
        farewell = nil
        for acceptor in acceptors { acceptor.close() }
        closeAllConnections()
        inbox = nil
        waiting = [:]
        loop.abandonClosing()
        loop.tick(wait: false)
    }

    private func take(_ message: LocalMessage) {
        switch message {
        case .listen(let socket, let handler):
            acceptors.append(Acceptor(loop: loop, socket: socket, slot: handlers.count, owner: self))
            handlers.append(handler)
            permits.append(ListenerPermits(process: Permits(limit: .max), limit: connections))
        case .work(let work):
            work()
        case .answer(let number, let response):
            waiting.removeValue(forKey: number)?.answer(with: response)
        case .handOver(let sockets):
            for acceptor in acceptors where sockets.contains(acceptor.socket) { acceptor.leave() }
            isHandedOver = true
            beginDrain()
        case .stop:
            if isHandedOver { sayFarewell() } else { loop.stop() }
        }
    }

    private func sayFarewell() {
        farewell = FarewellTimer(loop) { [unowned self] in loop.stop() }
        loop.lastClosed = { [unowned self] in endIfAlone() }
        endIfAlone()
    }

    private func endIfAlone() {
        if farewell != nil, connectionCount == 0, loop.closingCount == 0 { loop.stop() }
    }

    override func connectionClosed() { endIfAlone() }

    /// Keeps an exchange until its answer is sent.
    func wait(_ exchange: LocalExchange) -> LocalCompletion {
        lastNumber += 1
        waiting[lastNumber] = exchange
        return LocalCompletion(mailbox: mailbox, number: lastNumber)
    }

    func accepted(_ descriptor: Int32, from peer: SocketAddress, slot: Int) {
        guard permits[slot].take() else { return Socket.close(descriptor) }
        Socket.setNoDelay(descriptor)
        let connection = HandledConnection<H1ServerConnection>(loop: loop, accepted: descriptor)
        connection.permits = permits[slot]
        _ = H1ServerConnection(
            host: self, connection: connection,
            downstream: DownstreamInfo(peer: peer, listener: slot, scheme: .http))
    }

    override func beginExchange(on stream: Borrowed<ServerStream>) -> Borrowed<MessageSink> {
        let slot = stream.connectionInfo.pointee.listener
        let exchange = LocalExchange(host: self, stream: stream, handler: handlers[slot])
        exchanges[ObjectIdentifier(exchange)] = exchange
        return Borrowed(exchange)
    }

    /// The request is answered, or its client has left; callers up the stack may still be using the exchange.
    fileprivate func ended(_ exchange: LocalExchange) {
        loop.releaseLater(exchange)
        exchanges[ObjectIdentifier(exchange)] = nil
    }

    override func stampResponse(_ head: ResponseHead) {
        serverName.stamp(&head.block, isLocal: true)
        super.stampResponse(head)
    }
}

/// One request to a local server: collects it, asks the handler, sends the answer as fast as the client takes it.
private final class LocalExchange: MessageSink {
    private unowned(unsafe) let host: LocalHost
    /// Its connection owns it and says so before it goes.
    private var stream: Borrowed<ServerStream>?
    private let handler: LocalServers.Handler
    private var more: (@Sendable () -> LocalPiece)?
    /// The headers alone are asked for.
    private var isHead = false

    init(host: LocalHost, stream: Borrowed<ServerStream>, handler: @escaping LocalServers.Handler) {
        self.host = host
        self.stream = stream
        self.handler = handler
    }

    override func receive(fromDownstream event: consuming MessageEvent) {
        switch consume event {
        case .request(let head, let last): if last { answer(head) }
        case .end: if let stream { answer(stream.requestHead) }
        case .reset:
            stream = nil
            more = nil
            host.ended(self)
        default: break  // Bodies are dropped.
        }
    }

    override func downstreamHasRoom() { pump() }

    private func answer(_ head: RequestHead) {
        isHead = head.method == .head
        answer(with: handler(Self.request(head)))
    }

    func answer(with response: LocalResponse) {
        guard let stream else { return }
        if case .later(let begin) = response.body { return begin(host.wait(self)) }
        let answer = host.takeResponseHead()
        answer.status = response.status
        var whole: [UInt8]?
        switch response.body {
        case .whole(let bytes):
            answer.framing = .length(UInt64(bytes.count))
            whole = bytes
        case .stream(let next):
            answer.framing = .chunked
            more = isHead ? nil : next
        case .later: preconditionFailure("an answer that is put off is not sent")
        }
        response.contentType.utf8.withContiguousStorageIfAvailable {
            answer.block.append(.contentType, "content-type", copying: UnsafeRawBufferPointer($0))
        }
        for header in response.headers { Self.append(header, to: answer) }
        host.stampResponse(answer)
        let bodyless = isHead || whole?.isEmpty == true
        if isHead { answer.framing = .none }
        stream.send(.response(answer, last: bodyless))
        host.recycle(answer)
        if bodyless { return finish() }
        guard let whole else { return pump() }
        whole.withUnsafeBytes { stream.send(.body(ByteSlice(copying: $0, pool: host.loop.pool))) }
        stream.send(.end)
        finish()
    }

    private static func append(_ header: (name: String, value: String), to answer: ResponseHead) {
        let name = Array(header.name.lowercased().utf8)
        let value = Array(header.value.utf8)
        let room = answer.block.reserve(name.count + value.count)
        memcpy(room, name, name.count)
        memcpy(room + name.count, value, value.count)
        _ = answer.block.append(
            .other, name: room, nameLength: name.count, value: room + name.count, valueLength: value.count)
    }

    private static func request(_ head: RequestHead) -> LocalRequest {
        LocalRequest(
            method: String(decoding: head.methodBytes, as: UTF8.self), path: String(decoding: head.path, as: UTF8.self),
            query: String(decoding: head.query, as: UTF8.self),
            headers: (0..<head.block.count).map { index in
                let field = head.block.fields[index]
                return (
                    String(decoding: field.nameBytes, as: UTF8.self), String(decoding: field.valueBytes, as: UTF8.self)
                )
            })
    }

    private func pump() {
        // Sending may end the stream.
        while let stream, let more, !stream.isCongested {
            switch more() {
            case .bytes(let bytes):
                bytes.withUnsafeBytes { stream.send(.body(ByteSlice(copying: $0, pool: host.loop.pool))) }
            case .end:
                stream.send(.end)
                return finish()
            case .cut:
                stream.send(.reset(ProxyError(source: .internal, cause: .cancelled)))
                return finish()
            }
        }
    }

    private func finish() {
        let stream = stream
        self.stream = nil
        more = nil
        host.ended(self)
        stream?.exchangeEnded()
    }
}

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
        case stream(@Sendable () -> [UInt8]?)
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
        self.body = .stream(stream)
    }
}

/// Small HTTP servers for admin, health and the demo, on one thread of their own; the same connections and codec as the gateway.
package final class LocalServers: Sendable {
    package typealias Handler = @Sendable (LocalRequest) -> LocalResponse

    private let name: String
    private let mailbox = Mailbox<LocalMessage>()
    private let thread = Guarded<pthread_t?>(nil)

    package init(name: String) { self.name = name }

    /// Listens on `HOST:PORT` (numeric host or `localhost`, port 0 picks one); returns the port.
    ///
    /// Never SO_REUSEPORT.
    ///
    /// `handler` runs on the servers' thread and must not block.
    package func listen(_ address: String, handler: @escaping Handler) throws(SocketError) -> Int {
        guard let parsed = SocketAddress(text: address) else {
            throw SocketError(operation: "listen on \(address): not HOST:PORT with a numeric host", code: EINVAL)
        }
        let socket = try Socket.listen(parsed, shared: false)
        let port = Int(Socket.localAddress(socket).port)
        mailbox.post(.listen(socket: socket, handler: handler))
        return port
    }

    package func start() {
        let mailbox = mailbox
        let started = Thread.start(name: name) { LocalHost(mailbox: mailbox).run() }
        thread.withLock { $0 = started }
    }

    /// Closes every connection and waits for the thread to end.
    package func stop() {
        mailbox.post(.stop)
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let running { pthread_join(running, nil) }
    }
}

private enum LocalMessage: Sendable {
    case listen(socket: Int32, handler: LocalServers.Handler)
    case stop
}

private final class LocalHost: ServerHost, AcceptorOwner {
    private var acceptors: [Acceptor] = []
    private var handlers: [LocalServers.Handler] = []
    /// Requests being answered; their streams only borrow them.
    private var exchanges: [ObjectIdentifier: LocalExchange] = [:]
    private var inbox: MailboxReader<LocalMessage>?
    private let serverName = ServerName("weir")

    init(mailbox: Mailbox<LocalMessage>) {
        super.init(loop: Loop())
        inbox = MailboxReader(loop: loop, mailbox: mailbox) { [unowned self] in take($0) }
    }

    func run() {
        loop.run()
        for acceptor in acceptors { acceptor.close() }
        closeAllConnections()
        inbox = nil
        loop.abandonClosing()
        loop.tick(wait: false)
    }

    private func take(_ message: LocalMessage) {
        switch message {
        case .listen(let socket, let handler):
            acceptors.append(Acceptor(loop: loop, socket: socket, slot: handlers.count, owner: self))
            handlers.append(handler)
        case .stop:
            loop.stop()
        }
    }

    func accepted(_ descriptor: Int32, from peer: SocketAddress, slot: Int) {
        // Those whose last bytes are going out have a descriptor as well.
        guard connectionCount + loop.closingCount < LocalExchange.maxConnections else {
            return Socket.close(descriptor)
        }
        Socket.setNoDelay(descriptor)
        let connection = HandledConnection<H1ServerConnection>(loop: loop, accepted: descriptor, peer: peer)
        _ = H1ServerConnection(
            host: self, connection: connection,
            downstream: DownstreamInfo(peer: peer, listener: slot, scheme: .http))
    }

    override func beginExchange(on stream: Borrowed<ServerStream>) -> Borrowed<MessageSink> {
        let exchange = LocalExchange(host: self, stream: stream, handler: handlers[stream.downstream.listener])
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
    /// Connections to the local servers of a process.
    static let maxConnections = 512

    private unowned(unsafe) let host: LocalHost
    /// Its connection owns it and says so before it goes.
    private var stream: Borrowed<ServerStream>?
    private let handler: LocalServers.Handler
    private var more: (@Sendable () -> [UInt8]?)?

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
            host.ended(self)
        default: break  // Bodies are dropped.
        }
    }

    override func downstreamHasRoom() { pump() }

    private func answer(_ head: RequestHead) {
        guard let stream else { return }
        let response = handler(Self.request(head))
        let answer = host.takeResponseHead()
        answer.status = response.status
        var whole: [UInt8]?
        switch response.body {
        case .whole(let bytes):
            answer.framing = .length(UInt64(bytes.count))
            whole = bytes
        case .stream(let next):
            answer.framing = .chunked
            more = next
        }
        response.contentType.utf8.withContiguousStorageIfAvailable {
            answer.block.append(.contentType, "content-type", copying: UnsafeRawBufferPointer($0))
        }
        for header in response.headers { Self.append(header, to: answer) }
        host.stampResponse(answer)
        let bodyless = head.method == .head || whole?.isEmpty == true
        if head.method == .head { answer.framing = .none }
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
        guard let stream, let more else { return }
        while !stream.isCongested {
            guard let bytes = more() else {
                self.more = nil
                stream.send(.end)
                return finish()
            }
            bytes.withUnsafeBytes { stream.send(.body(ByteSlice(copying: $0, pool: host.loop.pool))) }
        }
    }

    private func finish() {
        let stream = stream
        self.stream = nil
        host.ended(self)
        stream?.exchangeEnded()
    }
}

import Glibc

@testable import WeirEngine

/// Answers every request with its own body, and holds what goes on to HTTP/1.1's rules.
private final class Mirror: MessageSink {
    private let stream: Borrowed<ServerStream>
    private let pool: BufferPool
    private var isOver = false

    init(_ stream: Borrowed<ServerStream>, _ pool: BufferPool) {
        self.stream = stream
        self.pool = pool
    }

    override func receive(fromDownstream event: consuming MessageEvent) {
        guard !isOver else { return require(false, "an event behind the end") }
        switch consume event {
        case .request(let head, let last):
            check(head)
            let answer = ResponseHead()
            defer { answer.free() }
            answer.status = 200
            answer.framing = last ? .none : .chunked
            stream.send(.response(answer, last: last))
            if last { end() }
        case .body(let slice):
            stream.send(.body(slice))
            if stream.isCongested { stream.pauseReading() }
        case .trailers(let trailers): stream.send(.trailers(trailers))
        case .end:
            stream.send(.end)
            end()
        case .reset: isOver = true
        case .response: require(false, "a client that answers")
        }
    }

    override func downstreamHasRoom() { stream.resumeReading() }

    private func end() {
        isOver = true
        stream.exchangeEnded()
    }

    /// Our own parser reads the same request in what is written for an HTTP/1.1 origin.
    private func check(_ head: RequestHead) {
        let room = ExactBytes(room: H1Serializer.requestBound(head))
        let length = H1Serializer.writeRequest(head, into: room.start)
        var limits = H1Limits()
        limits.maxHeadBytes *= 4
        limits.maxHeaderLines += 8
        var parser = H1Parser(limits: limits, scheme: .http)
        let again = RequestHead()
        defer { again.free() }
        let text = String(decoding: room.bytes(length), as: UTF8.self)
        guard case .complete(let consumed) = parser.parseRequest(room.start, count: length, into: again) else {
            return require(false, "our own head is not accepted: \(text)")
        }
        require(consumed == length, "our own head ends early: \(text)")
        require(Array(again.methodBytes) == Array(head.methodBytes), "another method: \(text)")
        require(Array(again.target) == Array(head.target), "another target: \(text)")
        require(Array(again.authority) == Array(head.authority), "another host: \(text)")
        require(fieldLines(again.block) == fieldLines(head.block), "other lines: \(text)")
    }
}

private final class MirrorHost: ServerHost {
    private var mirrors: [Mirror] = []

    override func beginExchange(on stream: Borrowed<ServerStream>) -> Borrowed<MessageSink> {
        let mirror = Mirror(stream, loop.pool)
        mirrors.append(mirror)
        return Borrowed(mirror)
    }

    func forget() { mirrors = [] }
}

/// Whatever frames a client sends, in whatever pieces, each request is one that HTTP/1.1 reads the same, and no chunk is lost.
@c(LLVMFuzzerTestOneInput)
public func fuzzH2Server(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    var cuts = FuzzCuts(input.choice())
    let host = MirrorHost(loop: Loop())
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0,
        let peer = SocketAddress(numericHost: "192.0.2.7", port: 1)
    else { return 0 }
    let connection = HandledConnection<H2ServerConnection>(loop: host.loop, accepted: ends[0])
    let server = H2ServerConnection(
        host: host, connection: connection, downstream: DownstreamInfo(peer: peer, listener: 0, scheme: .http))
    var rest = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)[...] + input.rest
    var answer = [UInt8](repeating: 0, count: 65_536)
    while !rest.isEmpty, !connection.isClosed, host.connectionCount > 0 {
        let length = cuts.next(of: min(rest.count, BufferPool.chunkBytes))
        Array(rest.prefix(length)).withUnsafeBytes {
            server.received(ByteSlice(copying: $0, pool: host.loop.pool))
        }
        rest = rest.dropFirst(length)
        host.loop.tick(wait: false)
        while read(ends[1], &answer, answer.count) > 0 {}
    }
    host.closeAllConnections()
    host.loop.abandonClosing()
    host.loop.tick(wait: false)
    host.forget()
    close(ends[1])
    return 0
}

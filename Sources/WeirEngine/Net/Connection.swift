import Glibc

/// The codec on top of a connection.
///
/// Every call comes on the loop's thread.
protocol ConnectionHandler: AnyObject {
    /// Bytes from the peer, in order. The slice is the handler's now.
    func received(_ slice: consuming ByteSlice)
    /// The peer ended its side; nothing more will be received.
    func receivedEnd()
    /// What was queued has fallen below the low mark after it had been above the high one.
    func writeRoomAvailable()
    /// The connection broke; it is closed already. `unsentIntact`: no byte of what is queued reached the kernel.
    func connectionFailed(_ code: Int32, unsentIntact: Bool)
    /// The deadline set through the connection passed.
    func connectionDeadlinePassed()
    /// A connection being opened is established.
    func connected()
}

/// One socket: reads, a queue of slices to write with high and low marks, half-close, one deadline.
///
/// Knows nothing of HTTP. Closed by its handler or by a failure, exactly once; after that nothing is called. Instances are
/// `HandledConnection`s: which codec is on top is part of the type, so that calling it counts no reference.
class Connection: LoopSource {
    /// Above this many queued bytes the source of the bytes is told to wait.
    static let highMarkBytes = 256 * 1024
    /// Below this it goes on.
    static let lowMarkBytes = 64 * 1024
    /// Reads in one wake-up, so that a fast peer cannot starve the others.
    static let readsPerTick = 4
    /// Entries of one `writev`.
    static let vectorsPerWrite = 16
    /// After our last byte the peer gets this long to end its side before we close (RFC 9112 section 9.6).
    static let lingerMilliseconds = 1_000
    /// A peer that takes nothing of our last bytes for this long is cut off.
    static let closingStallMilliseconds = 60_000
    /// Bytes thrown away while lingering; a peer that sends more is cut off.
    static let lingerBytes = 1024 * 1024

    private enum Phase {
        case connecting
        case open
        /// No more is read for the handler or taken from it; what is queued goes out, then our side ends.
        case closing
        /// Our side has ended; input is thrown away until the peer ends too.
        case lingering
        case closed
    }

    private var transport: Transport
    private var phase: Phase
    private var out = BufferChain()
    private var flushScheduled = false
    private var wasCongested = false
    private var discarded = 0
    /// A layer could not write before it has read, or the other way round.
    private var writeWantsRead = false
    private var readWantsWrite = false
    /// The peer has left, as far as can be told while its bytes are not being read.
    var peerHasGone: Bool { descriptor >= 0 && Socket.peerHasGone(descriptor) }

    /// What the descriptor counts against, until it is closed.
    var permits: ListenerPermits?

    /// Bytes the kernel has taken since `markExchange`.
    private(set) var bytesTaken = 0
    /// Both ends for the access log, made when first asked for.
    private var localLogText: LogAddressText?
    private var peerLogText: LogAddressText?

    /// Takes over an open descriptor.
    init(loop: Loop, accepted descriptor: Int32, transport: Transport = .plain) {
        self.transport = transport
        phase = .open
        super.init(loop: loop)
        attach(descriptor)
    }

    /// Takes over a descriptor that is being connected.
    init(loop: Loop, connecting descriptor: Int32, transport: Transport = .plain) {
        self.transport = transport
        phase = .connecting
        super.init(loop: loop)
        attach(descriptor)
        awaitWrite()
    }

    // MARK: To the handler

    fileprivate func deliver(_ slice: consuming ByteSlice) {}
    fileprivate func deliverEnd() {}
    fileprivate func tellRoom() {}
    fileprivate func tellConnected() {}
    fileprivate func tellDeadline() {}
    fileprivate func tellFailure(_ code: Int32, unsentIntact: Bool) {}
    /// From now on the handler hears nothing.
    fileprivate func forgetHandler() {}

    var isOpen: Bool { phase == .open || phase == .connecting }
    var isClosed: Bool { phase == .closed }
    /// Our end as text; the kernel is asked once, and gives it out when a connection is begun.
    final var localText: LogAddress? {
        if localLogText == nil { localLogText = EndpointAddress(localAddress).map { LogAddressText($0) } }
        return localLogText?.address
    }
    /// The peer's end as text, which whoever accepted the connection knows.
    final func peerText(_ peer: EndpointAddress) -> LogAddress {
        if let known = peerLogText?.address { return known }
        let text = LogAddressText(peer)
        let address = text.address
        peerLogText = consume text
        return address
    }
    var localAddress: SocketAddress { descriptor >= 0 ? Socket.localAddress(descriptor) : SocketAddress() }

    // MARK: Writing

    var queuedBytes: Int { out.count }
    /// Too much is queued: whoever feeds this connection should pause.
    var isCongested: Bool { out.count >= Self.highMarkBytes }

    func write(_ slice: consuming ByteSlice) {
        guard isOpen else { return }
        out.append(slice, pool: loop.pool)
        scheduleFlush()
    }

    func write(copying bytes: UnsafeRawBufferPointer) {
        guard isOpen else { return }
        out.append(copying: bytes, pool: loop.pool)
        scheduleFlush()
    }

    /// Lets `fill` write up to `bound` bytes at the queue's end; it returns how many it wrote, and so does this.
    func write(bound: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Int) -> Int {
        guard isOpen else { return 0 }
        let (room, _) = out.spareRoom(pool: loop.pool, minimum: bound)
        let length = fill(room)
        precondition(length <= bound, "a writer went past its bound")
        out.commitSpare(length)
        scheduleFlush()
        return length
    }

    /// Starts counting what the kernel takes.
    func markExchange() { bytesTaken = 0 }

    /// Moves everything queued to another connection.
    func moveQueue(to other: Connection) {
        while let slice = out.popFirst() { other.write(slice) }
    }

    private func scheduleFlush() {
        guard !flushScheduled, phase != .connecting else { return }
        flushScheduled = true
        loop.flushLater(self)
    }

    /// Called by the loop at the end of a tick, or when enough connections wait.
    func flushNow() {
        flushScheduled = false
        guard phase == .open || phase == .closing else { return }
        pump()
    }

    private func pump() {
        while !out.isEmpty {
            let result = withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectorsPerWrite) { vectors in
                let filled = out.fill(vectors.baseAddress!, limit: Self.vectorsPerWrite)
                return transport.write(descriptor, vectors.baseAddress!, count: filled)
            }
            switch result {
            case .done(let length):
                bytesTaken += length
                if phase == .closing { setDeadline(afterMilliseconds: Self.closingStallMilliseconds) }
                let partial = length < out.count
                out.consume(length)
                if partial && out.segmentCount <= Self.vectorsPerWrite {
                    // The kernel took less than offered: its buffer is full, do not ask again yet.
                    wasCongested = wasCongested || isCongested
                    awaitWrite()
                    afterWrite()
                    return
                }
            case .wantWrite:
                awaitWrite()
                afterWrite()
                return
            case .wantRead:
                // The layer goes on when the peer has spoken.
                writeWantsRead = true
                startReading()
                afterWrite()
                return
            case .end:
                fail(EPIPE)
                return
            case .failed(let code):
                fail(code)
                return
            }
        }
        afterWrite()
        // What `afterWrite` told the handler may have queued more and asked to close: then the next flush goes on.
        if phase == .closing, out.isEmpty { beginLinger() }
    }

    private func afterWrite() {
        guard wasCongested, out.count <= Self.lowMarkBytes else { return }
        wasCongested = false
        if phase == .open { tellRoom() }
    }

    /// Remembers that the feeder was told to wait, so that it is told when to go on.
    func noteCongestion() { wasCongested = true }

    override func writeReady() {
        super.writeReady()
        switch phase {
        case .connecting:
            let code = Socket.pendingError(descriptor)
            guard code == 0 else {
                fail(code)
                break
            }
            phase = .open
            tellConnected()
            if phase == .open, !out.isEmpty { scheduleFlush() }
        case .open, .closing:
            pump()
            if readWantsWrite, isReading {
                readWantsWrite = false
                return readReady()
            }
        case .lingering, .closed:
            break
        }
        loop.flushDirty()
    }

    // MARK: Reading

    override func readReady() {
        readAll()
        if writeWantsRead, phase == .open || phase == .closing {
            writeWantsRead = false
            pump()
        }
        loop.flushBatch()
    }

    private func readAll() {
        for _ in 0..<Self.readsPerTick {
            guard isReading else { return }
            let room = loop.readRoom()
            switch transport.read(descriptor, into: room.chunk.bytes + room.start, count: room.count) {
            case .done(let length):
                let slice = loop.sliceOfRead(room.chunk, start: room.start, count: length)
                if phase == .open {
                    deliver(slice)
                } else {
                    discard(slice.count)
                }
                // A short read means the socket is empty for now.
                if length < room.count && !transport.hasPendingInput { return }
            case .wantRead:
                return
            case .wantWrite:
                readWantsWrite = true
                awaitWrite()
                return
            case .end:
                return endReceived()
            case .failed(let code):
                return fail(code)
            }
        }
        // The layer's own bytes do not make the socket readable again: come back for them.
        if isReading, transport.hasPendingInput {
            readWantsWrite = true
            awaitWrite()
        }
    }

    private func endReceived() {
        switch phase {
        case .open:
            // Level-triggered: an ended side stays readable, so stop asking.
            stopReading()
            deliverEnd()
        case .closing:
            stopReading()
        case .lingering:
            closeNow()
        case .connecting, .closed:
            break
        }
    }

    private func discard(_ length: Int) {
        discarded += length
        if discarded > Self.lingerBytes { closeNow() }
    }

    // MARK: Ending

    override func deadlinePassed() {
        switch phase {
        case .open, .connecting: tellDeadline()
        case .closing, .lingering: closeNow()
        case .closed: break
        }
    }

    /// Sends what is queued, ends our side and waits a moment for the peer's end, so that the answer is not lost to a reset.
    func closeAfterFlush() {
        guard phase == .open else { return closeNow() }
        phase = .closing
        forgetHandler()
        loop.keepClosing(self)
        startReading()
        setDeadline(afterMilliseconds: Self.closingStallMilliseconds)
        if out.isEmpty { beginLinger() } else { scheduleFlush() }
    }

    private func beginLinger() {
        guard phase == .closing, out.isEmpty else { return }
        phase = .lingering
        Socket.endWriting(descriptor)
        setDeadline(afterMilliseconds: Self.lingerMilliseconds)
        startReading()
    }

    /// Closes at once; what is queued is lost.
    ///
    /// With `reset`, the peer sees a reset instead of an end.
    func closeNow(reset: Bool = false) {
        guard phase != .closed else { return }
        phase = .closed
        forgetHandler()
        let fd = descriptor
        detach()
        if reset { Socket.resetOnClose(fd) }
        close(fd)
        out.removeAll()
        loop.letGo(self)
    }

    private func fail(_ code: Int32) {
        let unsentIntact = bytesTaken == 0
        phase = .closed
        let fd = descriptor
        detach()
        // The handler may move the queue to another connection, so it is told before the queue goes.
        tellFailure(code, unsentIntact: unsentIntact)
        close(fd)
        out.removeAll()
        loop.letGo(self)
    }

    private func close(_ fd: Int32) {
        Socket.close(fd)
        permits?.give()
        permits = nil
    }

    deinit { precondition(phase == .closed, "a connection died open") }
}

/// A connection with its codec.
final class HandledConnection<Handler: ConnectionHandler>: Connection {
    /// The handler outlives the connection's open time, and closes the connection when it goes.
    private var handler: Borrowed<Handler>?

    func setHandler(_ handler: Handler) { self.handler = Borrowed(handler) }

    fileprivate override func deliver(_ slice: consuming ByteSlice) {
        guard let handler else { return }
        var moved = Optional(slice)
        handler.with { handler in
            guard let slice = moved.take() else { return }
            handler.received(slice)
        }
    }
    fileprivate override func deliverEnd() { handler?.with { $0.receivedEnd() } }
    fileprivate override func tellRoom() { handler?.with { $0.writeRoomAvailable() } }
    fileprivate override func tellConnected() { handler?.with { $0.connected() } }
    fileprivate override func tellDeadline() { handler?.with { $0.connectionDeadlinePassed() } }
    fileprivate override func tellFailure(_ code: Int32, unsentIntact: Bool) {
        let receiver = handler
        handler = nil
        receiver?.with { $0.connectionFailed(code, unsentIntact: unsentIntact) }
    }
    fileprivate override func forgetHandler() { handler = nil }
}

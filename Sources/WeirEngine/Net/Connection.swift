import Glibc

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
        /// The transport is agreeing on something with the peer; what is written waits.
        case handshaking
        case open
        /// No more is read for the handler or taken from it; what is queued goes out, then our side ends.
        case closing
        /// Our side has ended; input is thrown away until the peer ends too.
        case lingering
        case closed
    }

    /// Whether our side of an open connection ends before the peer's.
    private enum Output {
        case open
        /// It does when what is queued has gone out.
        case ending
        case ended
    }

    private(set) final var transport: Transport
    private var out = BufferChain()
    /// Behind this one in the loop's list of connections to flush.
    final var nextDirty: Unmanaged<Connection>?
    private var discarded = 0
    private var phase: Phase
    private var flushScheduled = false
    /// The handler adds to the queue when it is flushed.
    private var asksForOutput = false
    private var wasCongested = false
    /// A layer could not write before it has read, or the other way round.
    private var writeWantsRead = false
    private var readWantsWrite = false
    private var output = Output.open
    /// `readAtOnce` comes for what the layer holds.
    private var readsAtOnce = false
    /// The peer has left, as far as can be told while its bytes are not being read.
    var peerHasGone: Bool { descriptor >= 0 && Socket.peerHasGone(descriptor) }
    /// The connection is of no use to either side any more, as far as can be told likewise.
    var isBroken: Bool { descriptor >= 0 && Socket.isBroken(descriptor) }

    /// What the descriptor counts against, until it is closed.
    var permits: ListenerPermits?

    /// Bytes the kernel has taken since `markExchange`.
    private(set) var bytesTaken = 0
    /// Both ends for the access log, made when first asked for.
    final var localLogText: LogAddressText?
    final var peerLogText: LogAddressText?
    final var directLogText: LogAddressText?

    /// Takes over an open descriptor.
    ///
    /// Where the transport needs a handshake, `connected` tells the handler when it is over.
    init(loop: Loop, accepted descriptor: Int32, transport: Transport = .plain) {
        self.transport = transport
        phase = transport.needsHandshake ? .handshaking : .open
        super.init(loop: loop)
        attach(descriptor)
        if phase == .handshaking { startReading() }
    }

    /// Takes over what another connection has let go of; it is open.
    init(loop: Loop, adopting released: ReleasedConnection) {
        transport = released.transport
        phase = .open
        readsAtOnce = released.readsAtOnce
        permits = released.permits
        super.init(loop: loop)
        attach(released.descriptor)
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
    fileprivate func tellOutputWanted() {}
    fileprivate func tellConnected() {}
    fileprivate func tellOutputEnded() {}
    fileprivate func tellDeadline() {}
    fileprivate func tellFailure(_ code: Int32, unsentIntact: Bool) {}
    /// From now on the handler hears nothing.
    fileprivate func forgetHandler() {}

    var isOpen: Bool { phase == .open || phase == .connecting || phase == .handshaking }
    var isClosed: Bool { phase == .closed }

    // MARK: Writing

    var queuedBytes: Int { out.count }
    /// What `endAfterFlush` was called behind has gone out.
    var outputHasEnded: Bool { output == .ended }
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
        guard !flushScheduled, phase != .connecting, phase != .handshaking else { return }
        flushScheduled = true
        loop.flushLater(self)
    }

    /// Has the handler asked for output when the queue is next flushed, so that it can gather a tick's.
    func askForOutput() {
        guard isOpen else { return }
        asksForOutput = true
        scheduleFlush()
    }

    /// Called by the loop at the end of a tick, or when enough connections wait.
    func flushNow() {
        if asksForOutput {
            // What is queued now goes out below, without a flush of its own.
            asksForOutput = false
            if phase == .open { tellOutputWanted() }
        }
        flushScheduled = false
        guard phase == .open || phase == .closing else { return }
        pump()
        if asksForOutput { scheduleFlush() }
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
        guard output != .ending else { return endOutput() }
        if phase == .closing, out.isEmpty { beginLinger() }
    }

    private func endOutput() {
        guard phase == .open || phase == .closing, out.isEmpty else { return }
        output = .ended
        transport.endWriting(descriptor)
        if phase == .open { tellOutputEnded() } else { beginLinger() }
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
            if transport.needsHandshake {
                phase = .handshaking
                goOnWithHandshake()
            } else {
                open()
            }
        case .handshaking:
            goOnWithHandshake()
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

    private func goOnWithHandshake() {
        switch transport.handshake(descriptor) {
        case .done:
            if let next = transport.successor {
                transport = .layered(next)
                return goOnWithHandshake()
            }
            // Whoever is told decides whether it reads.
            stopReading()
            open()
        case .wantRead: startReading()
        case .wantWrite:
            stopReading()
            awaitWrite()
        case .failed(let code): fail(code)
        }
    }

    private func open() {
        phase = .open
        tellConnected()
        if phase == .open, asksForOutput || !out.isEmpty || output == .ending { scheduleFlush() }
    }

    // MARK: Reading

    /// The layer may hold bytes the socket does not announce: come for them when it is next writable, which it is.
    private func readBehindLayer() {
        guard transport.hasPendingInput else { return }
        readWantsWrite = true
        awaitWrite()
    }

    override func readingStarted() {
        if phase == .open, !readsAtOnce { readBehindLayer() }
    }

    /// Delivers what the layer of an adopted connection holds already, once it has its handler.
    func readAtOnce() {
        readsAtOnce = false
        if phase == .open, isReading, transport.hasPendingInput { readReady() }
    }

    override func readReady() {
        if phase == .handshaking {
            goOnWithHandshake()
            return loop.flushBatch()
        }
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
        if isReading { readBehindLayer() }
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
        case .connecting, .handshaking, .closed:
            break
        }
    }

    private func discard(_ length: Int) {
        discarded += length
        if discarded > Self.lingerBytes { closeNow() }
    }

    // MARK: Ending

    /// Sends what is queued, then ends our side; what the peer sends is still read.
    ///
    /// Nothing may be written afterwards.
    func endAfterFlush() {
        guard isOpen, output == .open else { return }
        output = .ending
        scheduleFlush()
    }

    override func deadlinePassed() {
        switch phase {
        case .open, .connecting, .handshaking: tellDeadline()
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
        if output != .ended { transport.endWriting(descriptor) }
        setDeadline(afterMilliseconds: Self.lingerMilliseconds)
        startReading()
    }

    /// Lets the socket go to a connection with another handler; this one is closed and its handler hears nothing more.
    ///
    /// Nothing may be queued.
    func release() -> ReleasedConnection {
        precondition(phase == .open && out.isEmpty, "only an open connection with nothing to write changes hands")
        phase = .closed
        forgetHandler()
        let released = ReleasedConnection(descriptor: descriptor, transport: transport, permits: permits)
        detach()
        permits = nil
        loop.letGo(self)
        return released
    }

    /// Closes at once; what is queued is lost.
    ///
    /// With `reset`, the peer sees a reset instead of an end.
    func closeNow(reset: Bool = false) {
        closeSocket(reset: reset)
        out.removeAll()
    }

    /// Closes at once; what is queued can still be moved to another connection, until `closeNow`.
    func closeSocket(reset: Bool = false) {
        guard phase != .closed else { return }
        phase = .closed
        forgetHandler()
        let fd = descriptor
        detach()
        if reset { Socket.resetOnClose(fd) }
        close(fd)
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
    fileprivate override func tellOutputWanted() { handler?.with { $0.outputWanted() } }
    fileprivate override func tellConnected() { handler?.with { $0.connected() } }
    fileprivate override func tellOutputEnded() { handler?.with { $0.outputEnded() } }
    fileprivate override func tellDeadline() { handler?.with { $0.connectionDeadlinePassed() } }
    fileprivate override func tellFailure(_ code: Int32, unsentIntact: Bool) {
        let receiver = handler
        handler = nil
        receiver?.with { $0.connectionFailed(code, unsentIntact: unsentIntact) }
    }
    fileprivate override func forgetHandler() { handler = nil }
}

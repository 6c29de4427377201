import CEvent
import CWeir
import Glibc

/// One thread's event loop: the libevent fence.
///
/// Created, run and freed on that thread.
///
/// A tick is one wake-up: the ready sources are called, then what they wrote is flushed, then what they closed is let go.
final class Loop {
    /// What `recordRoom` has room for: the plain bytes of a TLS record.
    static let recordBytes = 16 * 1024
    /// Connections with something to write that make a tick write before its end.
    static let flushBatchConnections = 64

    private let base: OpaquePointer
    private var running = false
    private var timers = LoopTimers()
    /// What libevent wakes the loop by for the earliest of them.
    private let alarm: UnsafeMutablePointer<event>
    /// The moment it is set to; 0 = it is not.
    private var alarmMoment: UInt64 = 0

    /// Chunks for everything read and written on this thread.
    let pool = BufferPool()
    /// Shared by all connections of the loop: a read lands here and what is kept of it is kept by slices.
    private var readChunk: Chunk?
    private var readUsed = 0
    private var cachedNow: UInt64 = 0
    private var nowIsStale = true
    /// See `recordRoom`.
    private var records: UnsafeMutablePointer<UInt8>?
    /// The time where a test holds it; 0 = the monotonic clock tells it.
    private var heldTime: UInt64 = 0
    /// Connections with something to write, flushed when the tick ends or enough have gathered; linked through
    /// `nextDirty`.
    ///
    /// One that closes meanwhile is let go at the end of the tick, after this list was gone through.
    private var firstDirty: Unmanaged<Connection>?
    private var lastDirty: Unmanaged<Connection>?
    private var dirtyCount = 0
    /// Closed objects that a caller up the stack may still be using; let go between ticks.
    private var graveyard: [AnyObject] = []
    /// Connections that end on their own: their last bytes are going out, nobody else owns them.
    private var closing: [ObjectIdentifier: Connection] = [:]

    init() {
        guard let config = event_config_new() else { fatalError("out of memory for an event loop") }
        // One thread uses the base, so it needs no locks.
        event_config_set_flag(config, Int32(EVENT_BASE_FLAG_NOLOCK.rawValue))
        guard let base = event_base_new_with_config(config) else { fatalError("no event loop: epoll is unavailable") }
        event_config_free(config)
        self.base = base
        alarm = .allocate(capacity: 1)
        alarm.initialize(to: event())
        graveyard.reserveCapacity(64)
        assign(alarm, fd: -1, events: 0, to: Unmanaged.passUnretained(self).toOpaque()) { _, _, raw in
            Unmanaged<Loop>.fromOpaque(raw!)._withUnsafeGuaranteedRef { $0.alarmWent() }
        }
    }

    deinit {
        readChunk?.release()
        pool.free()
        records?.deallocate()
        event_del(alarm)
        alarm.deallocate()
        event_base_free(base)
    }

    /// Where a layer puts together what goes out at once; what is in it is good until the next one writes.
    func recordRoom() -> UnsafeMutablePointer<UInt8> {
        if let records { return records }
        let made = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.recordBytes)
        records = made
        return made
    }

    /// What its TLS connections share, made when the first of them needs it.
    private(set) lazy var tlsSocket = TLSSocket(loop: self)

    /// Nanoseconds of the monotonic clock, read once a tick.
    var now: UInt64 {
        @inline(__always)  // asked for several times a request
        get { nowIsStale ? readTime() : cachedNow }
    }

    @inline(never)
    private func readTime() -> UInt64 {
        cachedNow = heldTime > 0 ? heldTime : Self.monotonicTime()
        nowIsStale = false
        return cachedNow
    }

    /// The same, read now; from any thread.
    static func monotonicTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Runs until `stop`.
    func run() {
        running = true
        while running { tick(wait: true) }
    }

    /// One wake-up; with `wait: false` only what is ready now.
    func tick(wait: Bool) {
        nowIsStale = true
        event_base_loop(base, wait && dirtyCount == 0 ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK)
        flushDirty()
        // What waits for the next tick's flush may be in here.
        if !graveyard.isEmpty, dirtyCount == 0 { graveyard.removeAll(keepingCapacity: true) }
    }

    func stop() { running = false }

    // MARK: Deferred work

    func flushLater(_ connection: Connection) {
        let added = Unmanaged.passUnretained(connection)
        if let lastDirty { lastDirty._withUnsafeGuaranteedRef { $0.nextDirty = added } } else { firstDirty = added }
        lastDirty = added
        dirtyCount += 1
    }

    /// Called at the end of a read: writes out what is queued once so many connections wait.
    ///
    /// Writes of one tick go out together at its end, which keeps the processor's caches on one kind of work at a time; the
    /// limit keeps the first of them from waiting for a long tick.
    func flushBatch() {
        if dirtyCount >= Self.flushBatchConnections { flushDirty() }
    }

    /// Writes out what is queued.
    ///
    /// A flush can queue more: a drained connection resumes its peer. That is left to the next call, and a tick that ends
    /// with something left does not wait, so that one fast reader cannot keep the others from their turn.
    func flushDirty() {
        for _ in 0..<dirtyCount {
            guard let first = firstDirty else { return }
            first._withUnsafeGuaranteedRef { connection in
                firstDirty = connection.nextDirty
                connection.nextDirty = nil
                if firstDirty == nil { lastDirty = nil }
                dirtyCount -= 1
                connection.flushNow()
            }
        }
    }

    /// Owns a connection until it has closed.
    func keepClosing(_ connection: Connection) { closing[ObjectIdentifier(connection)] = connection }

    /// Connections that are ending on their own.
    var closingCount: Int { closing.count }
    /// Called when the last of them has closed.
    var lastClosed: (() -> Void)?

    /// A connection has closed: it lives until the tick ends, for callers up the stack.
    func letGo(_ connection: Connection) {
        releaseLater(connection)
        guard !closing.isEmpty else { return }
        closing[ObjectIdentifier(connection)] = nil
        if closing.isEmpty { lastClosed?() }
    }

    /// Cuts what is still closing; for the end of the loop's life.
    func abandonClosing() {
        for connection in closing.values { connection.closeNow() }
    }

    /// Keeps `object` alive until the tick ends.
    func releaseLater(_ object: AnyObject) { graveyard.append(object) }

    // MARK: Reading

    /// Room for one read: at least half a chunk.
    func readRoom() -> (chunk: Chunk, start: Int, count: Int) {
        if let chunk = readChunk {
            if chunk.isUnique { readUsed = 0 }
            if chunk.capacity - readUsed >= BufferPool.chunkBytes / 2 {
                return (chunk, readUsed, chunk.capacity - readUsed)
            }
            chunk.release()
        }
        let chunk = pool.take()
        readChunk = chunk
        readUsed = 0
        return (chunk, 0, chunk.capacity)
    }

    /// Makes a slice of what was read into `readRoom`.
    func sliceOfRead(_ chunk: Chunk, start: Int, count: Int) -> ByteSlice {
        readUsed = start + count
        return ByteSlice(retaining: chunk, start: start, count: count)
    }

    // MARK: Timers

    /// Has a source called at a moment, instead of the one it has waited for.
    fileprivate func setTimer(_ source: LoopSource, _ moment: UInt64) {
        timers.set(source, moment)
        setAlarm()
    }

    fileprivate func removeTimer(_ source: LoopSource) { timers.remove(source) }

    /// Sees to it that the loop wakes up for the earliest timer.
    ///
    /// One that goes too early, as its timer has been removed, costs a wake-up.
    private func setAlarm() {
        guard let moment = timers.earliest, alarmMoment == 0 || moment < alarmMoment else { return }
        alarmMoment = max(moment, 1)
        let wait = moment > now ? moment - now : 0
        var interval = timeval(
            tv_sec: Int(wait / 1_000_000_000), tv_usec: Int((wait % 1_000_000_000 + 999) / 1000))
        event_add(alarm, &interval)
    }

    private func alarmWent() {
        alarmMoment = 0
        // What is set meanwhile is for the next alarm.
        for _ in 0..<timers.count {
            guard let source = timers.takeDue(now) else { break }
            source._withUnsafeGuaranteedRef { $0.timerTick() }
        }
        setAlarm()
    }

    // MARK: libevent

    fileprivate func assign(
        _ event: UnsafeMutablePointer<event>, fd: Int32, events: Int32, to context: UnsafeMutableRawPointer,
        _ callback: @escaping event_callback_fn
    ) {
        let status = event_assign(event, base, fd, Int16(events), callback, context)
        precondition(status == 0, "event_assign refused its arguments")
    }
}

/// Time that only a test moves: limits of hours are met in no time, and never by chance.
extension Loop {
    /// Stops the clock; from now on `advance` moves it.
    func holdTime() { heldTime = now }

    /// Moves the held clock on, and calls each timer on the way at its moment.
    func advance(milliseconds: Int) {
        precondition(heldTime > 0, "a clock that runs by itself cannot be moved")
        let target = heldTime + UInt64(milliseconds) * 1_000_000
        while let source = earliestSource(until: target) {
            heldTime = max(heldTime, source.due)
            nowIsStale = true
            source.timerTickEarly()
        }
        heldTime = target
        nowIsStale = true
    }

    /// Timers that are armed, those that were cleared meanwhile among them.
    var timerCount: Int { timers.count }

    private func earliestSource(until target: UInt64) -> LoopSource? {
        timers.sources.filter { $0.due <= target }.min { $0.due < $1.due }
    }
}

/// Something on a loop that waits for a descriptor, for a moment, or both.
///
/// Subclasses answer.
///
/// Loop thread only. Its owner calls `detach` before the descriptor is closed.
class LoopSource {
    /// Strong, so that a call on it needs no reference counting; a loop holds no source longer than a tick.
    final let loop: Loop
    /// Persistent; made for the first descriptor.
    private var readEvent: UnsafeMutablePointer<event>?
    /// Once; made when it is first waited for, which most connections never do.
    private var writeEvent: UnsafeMutablePointer<event>?
    private(set) var descriptor: Int32 = -1
    /// Where `LoopTimers` has it, which alone changes this; -1 = not armed.
    final var timerPlace: Int32 = -1
    private(set) var isReading = false
    private var isAwaitingWrite = false
    /// Monotonic nanoseconds; 0 = no deadline.
    fileprivate private(set) var deadline: UInt64 = 0
    /// When the loop will call; 0 = not armed.
    private var armedFor: UInt64 = 0
    /// When its timer next does something, if armed: calls it, or finds that there is nothing to do any more.
    fileprivate var due: UInt64 { max(deadline, armedFor) }

    init(loop: Loop) { self.loop = loop }

    deinit {
        detach()
        readEvent?.deallocate()
        writeEvent?.deallocate()
    }

    /// Binds the source to a descriptor.
    ///
    /// The source does not own it.
    final func attach(_ fd: Int32) {
        precondition(descriptor == -1, "a source waits for one descriptor at a time")
        descriptor = fd
        let event = readEvent ?? Self.makeEvent()
        readEvent = event
        let own = Unmanaged.passUnretained(self).toOpaque()
        loop.assign(event, fd: fd, events: EV_READ | EV_PERSIST, to: own) { _, _, raw in
            Unmanaged<LoopSource>.fromOpaque(raw!)._withUnsafeGuaranteedRef { $0.readReady() }
        }
    }

    private static func makeEvent() -> UnsafeMutablePointer<event> {
        let made = UnsafeMutablePointer<event>.allocate(capacity: 1)
        made.initialize(to: event())
        return made
    }

    /// Forgets the descriptor and the deadline; nothing is called afterwards.
    final func detach() {
        if descriptor >= 0 {
            stopReading()
            if isAwaitingWrite, let writeEvent { event_del(writeEvent) }
            isAwaitingWrite = false
            descriptor = -1
        }
        deadline = 0
        if armedFor != 0 {
            loop.removeTimer(self)
            armedFor = 0
        }
    }

    final func startReading() {
        guard !isReading, descriptor >= 0, let readEvent else { return }
        isReading = true
        event_add(readEvent, nil)
        readingStarted()
    }

    final func stopReading() {
        guard isReading, let readEvent else { return }
        isReading = false
        event_del(readEvent)
    }

    /// Calls `writeReady` once when the descriptor takes bytes again.
    final func awaitWrite() {
        guard !isAwaitingWrite, descriptor >= 0 else { return }
        isAwaitingWrite = true
        let event = writeEvent ?? Self.makeEvent()
        writeEvent = event
        let own = Unmanaged.passUnretained(self).toOpaque()
        loop.assign(event, fd: descriptor, events: EV_WRITE, to: own) { _, _, raw in
            Unmanaged<LoopSource>.fromOpaque(raw!)._withUnsafeGuaranteedRef { $0.writeReady() }
        }
        event_add(event, nil)
    }

    // MARK: The lazy timer

    /// Sets the deadline in monotonic nanoseconds.
    ///
    /// Moving it later costs a store: the timer re-arms itself when it fires early.
    final func setDeadline(_ moment: UInt64) {
        deadline = moment
        if armedFor == 0 || moment < armedFor { arm() }
    }

    /// For one of several moments that are waited for: one that has moved since may find nothing to do.
    @inline(__always)  // two comparisons for most requests
    final func setDeadline(noLaterThan moment: UInt64) {
        if deadline == 0 || moment < deadline { setDeadline(moment) }
    }

    final func setDeadline(afterMilliseconds delay: Int) {
        setDeadline(loop.now + UInt64(max(delay, 0)) * 1_000_000)
    }

    final func clearDeadline() { deadline = 0 }

    private func arm() {
        armedFor = max(deadline, 1)
        loop.setTimer(self, armedFor)
    }

    /// As the timer's own call, at a moment that libevent's clock has not reached.
    fileprivate final func timerTickEarly() {
        loop.removeTimer(self)
        timerTick()
    }

    fileprivate final func timerTick() {
        armedFor = 0
        guard deadline != 0 else { return }
        if loop.now < deadline {
            arm()
            return
        }
        deadline = 0
        deadlinePassed()
        loop.flushDirty()
    }

    // MARK: For subclasses

    /// Reading goes on after a pause: what lies in front of the descriptor already is not announced by it.
    func readingStarted() {}

    /// The descriptor has something to read, or its peer has gone.
    func readReady() {}

    fileprivate final func writeReadyOnce() {
        isAwaitingWrite = false
    }

    /// The descriptor takes bytes again.
    ///
    /// Overrides call `super` first.
    func writeReady() { writeReadyOnce() }

    /// The deadline passed.
    func deadlinePassed() {}
}

/// An event loop for cold code: configuration, signals, timers.
///
/// Created and used on one thread; closures are fine here.
package final class ControlLoop {
    // The inbox unregisters itself when it dies, so it must die before the loop: members die in this order.
    private let inbox: MailboxReader<ControlHandle.Message>
    private let loop: Loop
    package let handle: ControlHandle

    package init() {
        let loop = Loop()
        let mailbox = Mailbox<ControlHandle.Message>()
        self.loop = loop
        handle = ControlHandle(mailbox: mailbox)
        inbox = MailboxReader(loop: loop, mailbox: mailbox) { [unowned loop] message in
            switch message {
            case .work(let work): work()
            case .stop: loop.stop()
            }
        }
    }

    /// Calls `ready` whenever the descriptor is readable, until the watch is cancelled.
    ///
    /// The descriptor stays the caller's.
    package func watch(fd: Int32, _ ready: @escaping () -> Void) -> ControlWatch {
        let watch = ControlWatch(loop: loop, action: ready)
        watch.begin(fd: fd)
        return watch
    }

    /// Calls `ready` whenever the descriptor takes bytes, until the watch is cancelled.
    ///
    /// The descriptor stays the caller's.
    package func watch(writing fd: Int32, _ ready: @escaping () -> Void) -> ControlWatch {
        let watch = ControlWatch(loop: loop, action: ready)
        watch.begin(writing: fd)
        return watch
    }

    /// Calls `fire` once after `seconds`, unless the watch is cancelled first.
    package func schedule(after seconds: Double, _ fire: @escaping () -> Void) -> ControlWatch {
        let watch = ControlWatch(loop: loop, action: fire)
        watch.begin(afterMilliseconds: Int((max(seconds, 0) * 1000).rounded(.up)))
        return watch
    }

    /// Runs until `handle.stop()`.
    package func run() {
        loop.run()
        // Work that nobody will do any more may hold on to whoever owns this loop.
        handle.dropWork()
    }
}

/// The Sendable face of a control loop.
package final class ControlHandle: Sendable {
    enum Message: Sendable {
        case work(@Sendable () -> Void)
        case stop
    }

    private let mailbox: Mailbox<Message>

    init(mailbox: Mailbox<Message>) { self.mailbox = mailbox }

    /// Runs `work` on the loop's thread, in the order posted.
    package func post(_ work: @escaping @Sendable () -> Void) { mailbox.post(.work(work)) }

    func dropWork() { _ = mailbox.drain() }

    /// Ends `ControlLoop.run` after what was posted before.
    package func stop() { mailbox.post(.stop) }
}

/// A descriptor or a moment waited for.
///
/// Keeps waiting while it is referenced; `cancel` ends it early.
package final class ControlWatch {
    private let source: ControlSource
    private let loop: Loop

    init(loop: Loop, action: @escaping () -> Void) {
        self.loop = loop
        source = ControlSource(loop: loop, action: action)
    }

    func begin(fd: Int32) {
        source.attach(fd)
        source.startReading()
    }

    func begin(writing fd: Int32) {
        source.attach(fd)
        source.awaitWrite()
    }

    func begin(afterMilliseconds delay: Int) { source.setDeadline(afterMilliseconds: delay) }

    /// Nothing is called afterwards.
    package func cancel() {
        source.detach()
        // The action may be what cancels; it must outlive its own call.
        loop.releaseLater(source)
    }

    deinit { cancel() }
}

private final class ControlSource: LoopSource {
    private let action: () -> Void

    init(loop: Loop, action: @escaping () -> Void) {
        self.action = action
        super.init(loop: loop)
    }

    override func readReady() { action() }

    override func writeReady() {
        super.writeReady()
        action()
        // Unless the action was to cancel.
        awaitWrite()
    }

    override func deadlinePassed() { action() }
}

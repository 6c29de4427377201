import CWeir
import Glibc

/// How the data plane runs; everything else comes with the configuration.
package struct EngineOptions: Sendable {
    /// Worker threads, each with its own loop and listeners.
    package var workers = 1
    /// Address listened on when a server names none; `nil` = all, IPv4 and IPv6.
    package var bind: String?
    /// Gateway port to local port; a port that is absent is listened on literally.
    package var portMap: [Int: Int] = [:]
    /// The `server` response header; `nil` passes the upstream's on.
    package var serverName: String? = "weir"
    /// HTTP/1.0 requests are served instead of answered 426.
    package var acceptsHTTP10 = false
    package var limits = ConnectionLimits()
    /// Proxies in front of the gateway that are trusted to name the client in `x-forwarded-for`.
    package var trustedHops = 0
    /// The host of a mirrored request ends in `-shadow`.
    package var mirrorShadowSuffix = false
    /// Where workers put their lines; it must have a ring for each.
    package var accessLog: AccessLog?
    /// Called on a worker's thread when a generation waits for `Engine.releaseRetired`.
    package var onRetired: @Sendable () -> Void = {}

    package init() {}
}

/// A listener that could not be opened.
///
/// Everything else goes on.
package struct ListenerProblem: Sendable, Equatable {
    /// The port as the Gateway declares it.
    package var port: Int
    /// The port really listened on.
    package var localPort: Int
    package var bind: String?
    /// No Gateway declares it, and no mapping applies to it.
    package var isLiteral = false
    package var message: String
}

/// A listener of the current configuration that is being listened on.
package struct ListeningPort: Sendable, Equatable {
    package var port: Int
    package var localPort: Int
    package var bind: String?
    /// As in `ListenerPlan`.
    package var isLiteral = false
}

/// The data plane's facade: N workers, the sockets they accept on, the configuration they serve.
///
/// `start`, `publish`, `beginDrain`, `stop` and `releaseRetired` belong to the control thread; `stats` may come from any.
package final class Engine: Sendable {
    private struct ListenerKey: Hashable {
        var bind: String?
        var localPort: Int

        /// What two listeners cannot both have: `0.0.0.0` lies in `::`, so all addresses are one, here `nil`.
        var place: Place {
            let target = bind.flatMap(EndpointTarget.init)
            let isAll = target == .ipv4(0) || target == .ipv6(0, 0)
            return Place(address: isAll ? nil : target, localPort: localPort)
        }
    }
    private struct Place: Hashable {
        let address: EndpointTarget?
        let localPort: Int
    }

    private struct State {
        var threads: [pthread_t] = []
        /// Open listeners and their slot numbers.
        var slots: [ListenerKey: Int] = [:]
        var listening: [ListeningPort] = []
    }

    private let options: EngineOptions
    private let mailboxes: [Mailbox<WorkerMessage>]
    private let retired: RetiredSnapshots
    private let sockets: ListenerSockets
    /// Written by the control thread only; the lock is for readers of `listeningPorts`.
    private let state = Guarded(State())

    package init(options: EngineOptions) {
        precondition(options.workers > 0, "an engine needs a worker")
        self.options = options
        mailboxes = (0..<options.workers).map { _ in Mailbox<WorkerMessage>() }
        retired = RetiredSnapshots(notify: options.onRetired)
        sockets = ListenerSockets(mailboxes: mailboxes, limits: options.limits)
    }

    // MARK: Life

    /// Starts the workers' threads.
    package func start() {
        signal(SIGPIPE, SIG_IGN)
        for (index, mailbox) in mailboxes.enumerated() {
            let options = options
            let retired = retired
            let accessLog = options.accessLog
            let mailboxes = mailboxes
            let thread = Thread.start(name: "worker-\(index)") {
                let worker = Worker(
                    index: index, mailbox: mailbox, serverName: ServerName(options.serverName), retired: retired,
                    accessLog: accessLog)
                worker.acceptsHTTP10 = options.acceptsHTTP10
                worker.trustedHops = options.trustedHops
                worker.marksMirrors = options.mirrorShadowSuffix
                worker.maxUpstreams = max(options.limits.upstreams / options.workers, 1)
                worker.peers = mailboxes
                worker.run()
            }
            state.withLock { $0.threads.append(thread) }
        }
    }

    /// Closes every connection and waits for the workers to end.
    package func stop() {
        for mailbox in mailboxes { mailbox.post(.stop) }
        let threads = state.withLock { state in
            let all = state.threads
            state.threads = []
            return all
        }
        for thread in threads { pthread_join(thread, nil) }
        sockets.closeHeld()
        retired.release()
    }

    // MARK: Configuration

    /// Opens the listeners that are new, hands the snapshot to every worker, closes the listeners that are gone.
    ///
    /// Control thread. A port that cannot be opened is returned as a problem and tried again at the next publish; the rest goes
    /// on. `applied` is called once, on a worker's thread, when all workers serve the snapshot.
    package func publish(_ snapshot: Snapshot, applied: @escaping @Sendable () -> Void) -> [ListenerProblem] {
        var problems: [ListenerProblem] = []
        var slots: [Int] = []
        var listening: [ListeningPort] = []
        var opened: [ListenerSockets.Opened] = []
        var open = state.withLock { $0.slots }
        var wanted: Set<ListenerKey> = []
        var taken: Set<Place> = []
        for plan in snapshot.listeners {
            let localPort = plan.isLiteral ? plan.port : options.portMap[plan.port] ?? plan.port
            let key = ListenerKey(bind: plan.bind ?? options.bind, localPort: localPort)
            guard taken.insert(key.place).inserted else {
                slots.append(-1)
                problems.append(
                    ListenerProblem(
                        port: plan.port, localPort: localPort, bind: key.bind, isLiteral: plan.isLiteral,
                        message: plan.isLiteral
                            ? "a Gateway is served there"
                            : "local port \(localPort) already serves another Gateway port; map each to its own"))
                continue
            }
            wanted.insert(key)
            do throws(SocketError) {
                let slot: Int
                if let known = open[key] {
                    slot = known
                } else {
                    let listener = try sockets.open(bind: key.bind, localPort: localPort)
                    opened.append(listener)
                    slot = listener.slot
                }
                open[key] = slot
                slots.append(slot)
                listening.append(
                    ListeningPort(
                        port: plan.port, localPort: localPort, bind: key.bind, isLiteral: plan.isLiteral))
            } catch {
                slots.append(-1)
                problems.append(
                    ListenerProblem(
                        port: plan.port, localPort: localPort, bind: key.bind, isLiteral: plan.isLiteral,
                        message: error.description))
            }
        }
        let gone = open.filter { !wanted.contains($0.key) }
        for key in gone.keys { open[key] = nil }
        let ticket = AdoptionTicket(workers: mailboxes.count, done: applied)
        // First the generation, then the sockets that lead to it.
        for mailbox in mailboxes { mailbox.post(.adopt(snapshot, slots: slots, ticket: ticket)) }
        sockets.give(opened)
        for slot in gone.values { sockets.close(slot: slot) }
        state.withLock {
            $0.slots = open
            $0.listening = listening
        }
        return problems
    }

    /// Hands every worker the snapshot published before with other plans of these clusters.
    ///
    /// Control thread. The listeners must be the same objects; nothing but the clusters named is looked at.
    package func publishEndpoints(_ snapshot: Snapshot, clusters: [Int32]) {
        for mailbox in mailboxes { mailbox.post(.adoptEndpoints(snapshot, clusters: clusters)) }
    }

    /// The listeners of the current configuration that are open.
    package func listeningPorts() -> [ListeningPort] { state.withLock { $0.listening } }

    /// Control thread: frees the generations no worker uses any more (see `EngineOptions.onRetired`).
    package func releaseRetired() { retired.release() }

    // MARK: Seen and ended

    /// Asks every worker and replies once, on the last worker's thread, with the sum.
    package func stats(_ reply: @escaping @Sendable (EngineStats) -> Void) {
        let collector = StatsCollector(workers: mailboxes.count, reply: reply)
        for mailbox in mailboxes { mailbox.post(.stats(collector)) }
    }

    /// Asks every worker for its series and replies once with all of them, merged.
    ///
    /// Merging and `reply` run where `execute` puts them, one step at a time. There is no reply once the engine has stopped.
    package func gatherMetrics(
        names: DestinationNames, execute: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        _ reply: @escaping @Sendable (GatheredMetrics) -> Void
    ) {
        MetricGathering(mailboxes: mailboxes, names: names, execute: execute, done: reply).start()
    }

    /// Asks every worker what its endpoints are doing and replies once with the sums.
    ///
    /// Summing and `reply` run where `execute` puts them, one step at a time. There is no reply once the engine has stopped.
    package func gatherEndpoints(
        execute: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        _ reply: @escaping @Sendable (EndpointLoads) -> Void
    ) {
        EndpointGathering(mailboxes: mailboxes, execute: execute, done: reply).start()
    }

    // MARK: Taking over and handing over

    /// Ports found among these sockets are taken over instead of opened, and nothing is accepted until `beginAccepting`.
    ///
    /// Control thread, before the first `publish`.
    package func inherit(_ inherited: InheritedSockets) { sockets.inherit(inherited) }

    /// Accepts on what was opened and taken over; closes the inherited sockets nobody needs.
    package func beginAccepting() { sockets.beginAccepting() }

    /// The sockets of all listeners, for a successor; they stay the workers'.
    package var offeredSockets: [(slot: Int, socket: OfferedSocket)] { sockets.offered }

    /// Stops accepting, closes idle connections, says `Connection: close` on what is being answered.
    ///
    /// What is queued at the listeners `handedOver` is left to the successor that has them too; at the others it is accepted
    /// first. The ticket's `done` runs once, on a worker's thread, when the last connection has gone; `giveUp` on the
    /// returned handle makes it run at once.
    package func beginDrain(handedOver: Set<Int> = [], done: @escaping @Sendable () -> Void) -> DrainHandle {
        sockets.beginDrain()
        let ticket = DrainTicket(workers: mailboxes.count, done: done)
        for mailbox in mailboxes { mailbox.post(.drain(ticket, handedOver: handedOver)) }
        return DrainHandle(ticket: ticket)
    }
}

/// A drain under way.
package struct DrainHandle: Sendable {
    fileprivate let ticket: DrainTicket

    /// The deadline has passed: report now, whatever is left.
    package func giveUp() { ticket.report() }
}

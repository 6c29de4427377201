import Logging
import WeirCompiler
import WeirConfig
import WeirEngine
import WeirSources

/// Source to compiler to workers: takes what the store delivers and puts it in force.
///
/// Control thread only.
///
/// A delivery always compiles: what is wrong in it stays out of the snapshot or in its last good version, and becomes
/// a problem.
final class Reload {
    /// Seconds until a port that could not be listened on is tried again.
    static let listenRetrySeconds = 5.0

    private let compiler: Compiler
    private let engine: Engine
    private let status: ServerStatus
    private let loop: ControlLoop
    private let log: Logger
    private var problemLog = ProblemLog()
    /// What the workers have, and what became of it.
    private var last: (delivery: Delivery, compilation: Compilation, failures: [ListenerProblem])?
    private var retry: ControlWatch?
    private var isStopped = false
    /// Called each time all workers serve a generation.
    private let live: (UInt64) -> Void

    init(
        compiler: Compiler, engine: Engine, status: ServerStatus, loop: ControlLoop, log: Logger,
        live: @escaping (UInt64) -> Void
    ) {
        self.compiler = compiler
        self.engine = engine
        self.status = status
        self.loop = loop
        self.log = log
        self.live = live
    }

    /// Puts the delivery in force; returns the ports that could not be listened on.
    @discardableResult
    func take(_ delivery: Delivery) -> [Problem] {
        let start = SystemClock.now
        let compilation = compiler.compile(delivery.resources)
        let snapshot = compilation.snapshot
        let generation = snapshot.generation
        let me = ControlBound(self)
        let handle = loop.handle
        let failures = engine.publish(snapshot) {
            handle.post { me.value.applied(generation, startedAt: start) }
        }
        let problems = report(delivery, compilation, failures)
        log.info(
            "configuration published",
            metadata: [
                "generation": "\(generation)", "resources": "\(delivery.resources.count)",
                "files": "\(delivery.files.count)", "problems": "\(problems.count)",
            ])
        retryLater(isNeeded: !failures.isEmpty)
        return Array(problems.suffix(failures.count))
    }

    /// Nothing is published afterwards.
    func stop() {
        retry?.cancel()
        retry = nil
        isStopped = true
    }

    private func applied(_ generation: UInt64, startedAt start: Double) {
        guard !isStopped else { return }
        let seconds = SystemClock.now - start
        status.live(generation: generation, afterSeconds: seconds)
        log.debug(
            "configuration live",
            metadata: ["generation": "\(generation)", "milliseconds": "\(Int((seconds * 1000).rounded(.up)))"])
        live(generation)
    }

    /// A port somebody else held may be free by now.
    private func retryLater(isNeeded: Bool) {
        retry?.cancel()
        retry = nil
        guard isNeeded else { return }
        retry = loop.schedule(after: Self.listenRetrySeconds) { [unowned self] in
            retryPorts()
        }
    }

    /// Hands the workers the same generation once more, which opens the ports that are free by now.
    private func retryPorts() {
        guard let last else { return }
        let failures = engine.publish(last.compilation.snapshot) {}
        if failures != last.failures { _ = report(last.delivery, last.compilation, failures) }
        retryLater(isNeeded: !failures.isEmpty)
    }

    /// Tells `/status` and the log what came of a configuration; returns the problems, those of ports last.
    private func report(
        _ delivery: Delivery, _ compilation: Compilation, _ failures: [ListenerProblem]
    ) -> [Problem] {
        last = (delivery, compilation, failures)
        let problems =
            (delivery.diagnostics + compilation.diagnostics).map(Problem.init)
            + failures.map { Problem($0, resources: delivery.resources) }
        let snapshot = compilation.snapshot
        status.published(configuration(delivery, snapshot, failures, problems), snapshot: snapshot)
        problemLog.report(problems, to: log)
        return problems
    }

    private func configuration(
        _ delivery: Delivery, _ snapshot: Snapshot, _ failures: [ListenerProblem], _ problems: [Problem]
    ) -> ServerStatus.Configuration {
        var configuration = ServerStatus.Configuration()
        for kind in Kind.allCases {
            let count = delivery.resources.resources(of: kind).count
            if count > 0 { configuration.resources[kind.rawValue] = count }
        }
        configuration.listeners = engine.listeningPorts().map {
            ServerStatus.Listener(port: $0.port, localPort: $0.localPort, bind: $0.bind, listening: true)
        }
        configuration.listeners += failures.map {
            ServerStatus.Listener(
                port: $0.port, localPort: $0.localPort, bind: $0.bind, listening: false, problem: $0.message)
        }
        configuration.listeners.sort { ($0.port, $0.bind ?? "") < ($1.port, $1.bind ?? "") }
        configuration.problems = problems
        configuration.files = delivery.files
        return configuration
    }
}

import Logging
import WeirCompiler
import WeirConfig
import WeirEngine
import WeirSources

/// Source to compiler to workers: takes what the store delivers and what DNS says, and puts it in force.
///
/// Control thread only.
///
/// A configuration that is the first to need a name waits for what DNS says of it, but not for long: its requests would find no
/// endpoint. Later answers change endpoints alone.
///
/// A delivery always compiles: what is wrong in it stays out of the snapshot or in its last good version, and becomes
/// a problem.
final class Reload {
    /// Seconds until a port that could not be listened on is tried again.
    static let listenRetrySeconds = 5.0
    /// How long a configuration may wait for names that were never looked up.
    static let nameWaitSeconds = 2.0

    private let compiler: Compiler
    private let engine: Engine
    private let status: ServerStatus
    private let loop: ControlLoop
    private let log: Logger
    private let resolver: NameResolver
    private let sweeper: OutlierSweeper
    /// What resources name by path.
    private let files: CertificateFiles
    private var problemLog = ProblemLog()
    /// What the workers have, and what became of it.
    private var last: Published?
    /// What was compiled last.
    private var latest: Delivery?
    /// What waits for names.
    private var held: Held?
    private var holdEnd: ControlWatch?
    /// Of the configuration that was published last.
    private var publishedNames: Set<String> = []
    private var retry: ControlWatch?
    /// Waits for the end of a grace (see `ReferenceGrace`).
    private var grace: ControlWatch?
    private var isStopped = false
    /// Called each time all workers serve a generation.
    private let live: (UInt64) -> Void

    private struct Published {
        let delivery: Delivery
        /// Of the configuration alone.
        let diagnostics: [Diagnostic]
        let certificates: [CertificateStatus]
        var snapshot: Snapshot
        var failures: [ListenerProblem]
    }

    private struct Held {
        let delivery: Delivery
        let diagnostics: [Diagnostic]
        let certificates: [CertificateStatus]
        var snapshot: Snapshot
        let names: Set<String>
        let start: Double
        let published: ([Problem]) -> Void
    }

    init(
        compiler: Compiler, engine: Engine, status: ServerStatus, loop: ControlLoop, resolver: NameResolver,
        files: CertificateFiles, log: Logger, live: @escaping (UInt64) -> Void
    ) {
        self.compiler = compiler
        self.engine = engine
        self.status = status
        self.loop = loop
        self.resolver = resolver
        sweeper = OutlierSweeper(loop: loop)
        self.files = files
        self.log = log
        self.live = live
        resolver.changed = { [unowned self] in take($0) }
        files.changed = { [unowned self] in certificatesChanged() }
    }

    /// Puts the delivery in force, at once or when its names are known; then tells the ports that could not be listened on.
    ///
    /// One that comes while another waits takes its place.
    func take(_ delivery: Delivery, published: @escaping ([Problem]) -> Void = { _ in }) {
        let start = SystemClock.now
        let compilation = compiler.compile(delivery.resources, at: start, unixSeconds: SystemClock.unix)
        latest = delivery
        compileAgain(at: compilation.nextDeadline, delivery)
        resolver.want(compilation.names)
        held = Held(
            delivery: delivery, diagnostics: compilation.diagnostics, certificates: compilation.certificates,
            snapshot: compilation.snapshot, names: compilation.names, start: start, published: published)
        if compilation.madeContexts > 0 {
            log.info("certificates loaded", metadata: ["servers": "\(compilation.madeContexts)"])
        }
        guard waitsForNames else { return release() }
        if holdEnd == nil { holdEnd = loop.schedule(after: Self.nameWaitSeconds) { [unowned self] in release() } }
    }

    /// Whether what is held needs a name that no configuration before it did, and of which nothing is known yet.
    private var waitsForNames: Bool {
        guard let names = held?.names else { return false }
        return names.contains { !publishedNames.contains($0) && !resolver.hasTold(of: $0) }
    }

    /// Publishes what was held, with what DNS has said so far.
    private func release() {
        holdEnd?.cancel()
        holdEnd = nil
        guard let ready = held else { return }
        held = nil
        publishedNames = ready.names
        publish(ready)
    }

    private func publish(_ ready: Held) {
        let (generation, start) = (ready.snapshot.generation, ready.start)
        let me = ControlBound(self)
        let handle = loop.handle
        let failures = engine.publish(ready.snapshot) {
            handle.post { me.value.applied(generation, startedAt: start) }
        }
        let problems = report(
            Published(
                delivery: ready.delivery, diagnostics: ready.diagnostics, certificates: ready.certificates,
                snapshot: ready.snapshot, failures: failures))
        log.info(
            "configuration published",
            metadata: [
                "generation": "\(generation)", "resources": "\(ready.delivery.resources.count)",
                "files": "\(ready.delivery.files.count)", "problems": "\(problems.count)",
            ])
        retryLater(isNeeded: !failures.isEmpty)
        ready.published(Array(problems.suffix(failures.count)))
    }

    /// DNS says something new.
    private func take(_ answers: [String: NameAnswer]) {
        let update = compiler.update(answers)
        if held != nil {
            // The compiler has left the configuration in force behind.
            if let update { held?.snapshot = update.snapshot }
            if !waitsForNames { release() }
            return
        }
        guard var published = last else { return }
        if let update {
            published.snapshot = update.snapshot
            engine.publishEndpoints(update.snapshot, clusters: update.clusters)
            log.debug("endpoints published", metadata: ["clusters": "\(update.clusters.count)"])
        }
        _ = report(published)
    }

    /// Files that resources name hold something else: the same resources compile to something else.
    func certificatesChanged() {
        guard let latest, !isStopped else { return }
        take(latest, published: held?.published ?? { _ in })
    }

    /// Nothing is published afterwards.
    func stop() {
        resolver.stop()
        sweeper.stop()
        files.stop()
        holdEnd?.cancel()
        holdEnd = nil
        held = nil
        retry?.cancel()
        retry = nil
        grace?.cancel()
        grace = nil
        isStopped = true
    }

    /// Time alone changes what the same resources mean: updates that wait for what they name wait no longer.
    private func compileAgain(at deadline: Double?, _ delivery: Delivery) {
        grace?.cancel()
        grace = deadline.map { deadline in
            loop.schedule(after: max(deadline - SystemClock.now, 0)) { [unowned self] in
                // Whoever waits for what is held waits on.
                take(delivery, published: held?.published ?? { _ in })
            }
        }
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
        guard var published = last else { return }
        let failures = engine.publish(published.snapshot) {}
        if failures != published.failures {
            published.failures = failures
            _ = report(published)
        }
        retryLater(isNeeded: !failures.isEmpty)
    }

    /// Tells `/status` and the log what came of a configuration; returns the problems, those of ports last.
    private func report(_ published: Published) -> [Problem] {
        last = published
        sweeper.watch(published.snapshot)
        let found =
            published.delivery.diagnostics + published.diagnostics + files.diagnostics + compiler.nameDiagnostics
        let problems =
            found.map(Problem.init)
            + published.failures.map { Problem($0, resources: published.delivery.resources) }
        status.published(
            configuration(published, problems), snapshot: published.snapshot)
        problemLog.report(problems, to: log)
        return problems
    }

    private func configuration(_ published: Published, _ problems: [Problem]) -> ServerStatus.Configuration {
        let (delivery, failures) = (published.delivery, published.failures)
        var configuration = ServerStatus.Configuration()
        for kind in Kind.allCases {
            let count = delivery.resources.resources(of: kind).count
            if count > 0 { configuration.resources[kind.rawValue] = count }
        }
        configuration.listeners = engine.listeningPorts().map {
            ServerStatus.Listener(
                port: $0.port, localPort: $0.localPort, bind: $0.bind, listening: true, mesh: $0.isLiteral ? true : nil)
        }
        configuration.listeners += failures.map {
            ServerStatus.Listener(
                port: $0.port, localPort: $0.localPort, bind: $0.bind, listening: false, problem: $0.message,
                mesh: $0.isLiteral ? true : nil)
        }
        configuration.listeners.sort { ($0.port, $0.bind ?? "") < ($1.port, $1.bind ?? "") }
        configuration.problems = problems
        configuration.files = delivery.files
        configuration.certificates = published.certificates
        return configuration
    }
}

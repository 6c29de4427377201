import CWeir
import Glibc
package import Logging
import WeirCompiler
import WeirConfig
import WeirEngine
import WeirSources

/// What whoever started a server wants to be told.
///
/// Called on the control thread.
package struct ServerHooks {
    /// The admin server listens: its address with the real port.
    package var adminListening: (HostPort) -> Void = { _ in }
    /// The metrics server listens, likewise; called before the admin server's.
    package var metricsListening: (HostPort) -> Void = { _ in }
    /// All workers serve this generation.
    ///
    /// The first call means that the server is ready.
    package var live: (UInt64) -> Void = { _ in }

    package init() {}
}

/// The door to a running server for other threads.
package final class ServerHandle: Sendable {
    private let stopped: @Sendable () -> Void

    fileprivate init(_ stop: @escaping @Sendable () -> Void) { stopped = stop }

    /// Shuts down as SIGTERM does; the second call as a second SIGTERM.
    package func stop() { stopped() }
}

/// One server, wired up: sources, compiler, engine, admin and health.
///
/// Made and run on one thread, the control thread.
package final class Bootstrap {
    private let options: ServerOptions
    private let logLevels: LogLevels
    /// Writes for all parts.
    private let baseLog: Logger
    private let log: Logger
    private let hooks: ServerHooks
    private let loop: ControlLoop
    private let status: ServerStatus
    private let engine: Engine
    private let servers = LocalServers(
        name: "admin", connections: ConnectionLimits.local(descriptors: DescriptorLimit.raise()))
    private let certificateFiles: CertificateFiles
    private let compiler: Compiler
    private let store: ResourceStore
    private let resolver: NameResolver
    private let shutdown: Shutdown
    /// `nil` without `--takeover`.
    private let takeover: Takeover?
    /// `nil` when there is to be none.
    private let accessLog: Result<AccessLog, SocketError>?
    private var accessLogWriter: AccessLogWriter?
    private var isReady = false
    /// Why the process must not serve after all.
    private var refusal: ExitStatus?

    package init(options: ServerOptions, log: Logger? = nil, hooks: ServerHooks = ServerHooks()) {
        baseLog = log ?? Logger(level: options.logLevel)
        logLevels = LogLevels(baseLog.logLevel)
        let log = logLevels.logger(.server, writingTo: baseLog)
        if options.takesSignals { Signals.block() } else { signal(SIGPIPE, SIG_IGN) }
        self.options = options
        self.log = log
        self.hooks = hooks
        loop = ControlLoop()
        status = ServerStatus(workers: options.workers)
        accessLog = Self.makeAccessLog(options)
        engine = Self.makeEngine(options, accessLog: try? accessLog?.get(), handle: loop.handle)
        certificateFiles = CertificateFiles(loop: loop)
        compiler = Compiler(
            options: options.binding.compilerOptions(workers: options.workers, bind: options.bind),
            files: certificateFiles)
        store = ResourceStore(loop: loop, sources: [FileSource(paths: options.configPaths, loop: loop)])
        resolver = NameResolver(loop: loop, options: options.names)
        let shutdown = Shutdown(options: options, engine: engine, status: status, loop: loop, log: log)
        self.shutdown = shutdown
        takeover = options.takeoverPath.map { [engine, servers, loop] path in
            Takeover(path: path, engine: engine, servers: servers, shutdown: shutdown, loop: loop, log: log)
        }
    }

    /// May be given to any thread before `run`.
    package var handle: ServerHandle {
        let shutdown = ControlBound(shutdown)
        let handle = loop.handle
        return ServerHandle { handle.post { shutdown.value.request("asked to stop") } }
    }

    /// Serves until it is told to stop; returns how the process should end.
    package func run() -> ExitStatus {
        let missing = FileSource.missing(of: options.configPaths)
        guard missing.isEmpty else {
            for path in missing {
                log.error("configuration path \(path) does not exist; create it, or correct --config")
            }
            return .configuration
        }
        log.info(
            "starting",
            metadata: [
                "version": "\(weirVersion)", "workers": "\(options.workers)",
                "config": "\(options.configPaths.joined(separator: " "))",
            ])
        do throws(SocketError) {
            try openAccessLog()
        } catch {
            log.error("cannot start: the access log cannot be opened: \(error)")
            return .failure
        }
        defer { accessLogWriter?.stop() }
        do {
            try takeover?.begin()
            try listen()
        } catch {
            log.error("cannot start: \(error)")
            // What was opened before the one that failed is closed by its own thread.
            servers.start()
            servers.stop()
            return .failure
        }
        servers.start()
        defer { servers.stop() }
        return serve()
    }

    private static func makeAccessLog(_ options: ServerOptions) -> Result<AccessLog, SocketError>? {
        guard options.accessLog != nil else { return nil }
        return Result { () throws(SocketError) in
            try AccessLog(format: options.accessLogFormat ?? .istioText, workers: options.workers)
        }
    }

    private static func makeEngine(_ options: ServerOptions, accessLog: AccessLog?, handle: ControlHandle) -> Engine {
        let door = EngineDoor()
        var engineOptions = EngineOptions()
        engineOptions.workers = options.workers
        engineOptions.bind = options.bind
        engineOptions.portMap = options.portMap
        engineOptions.serverName = options.serverName
        engineOptions.acceptsHTTP10 = options.acceptsHTTP10
        engineOptions.trustedHops = options.trustedHops
        engineOptions.mirrorShadowSuffix = options.mirrorShadowSuffix
        engineOptions.limits = ConnectionLimits(descriptors: DescriptorLimit.raise())
        engineOptions.accessLog = accessLog
        engineOptions.onRetired = { handle.post { door.open()?.releaseRetired() } }
        let engine = Engine(options: engineOptions)
        door.lead(to: engine)
        return engine
    }

    private func logger(_ part: LogPart) -> Logger { logLevels.logger(part, writingTo: baseLog) }

    private func openAccessLog() throws(SocketError) {
        guard let target = options.accessLog, let accessLog else { return }
        accessLogWriter = try AccessLogWriter(try accessLog.get(), target: target, log: logger(.accessLog))
    }

    private func listen() throws(SocketError) {
        let metrics = MetricsServer(
            engine: engine, names: compiler.names, source: options.source,
            server: ServerMetrics(status: status, names: resolver.counts, accessLog: accessLogWriter), servers: servers)
        let admin = AdminServer(
            status: status, metrics: metrics, logging: LogSettings(levels: logLevels, log: logger(.admin)),
            listings: ListingServer(engine: engine, status: status, servers: servers))
        let port = try servers.listen("\(options.admin)", role: .admin) { admin.answer($0) }
        let address = HostPort(host: options.admin.host, port: port)
        if let health = options.health {
            let server = HealthServer(status: status)
            _ = try servers.listen("\(health)", role: .health) { server.answer($0) }
        }
        log.info("admin server listening", metadata: ["address": "\(address)"])
        if let wanted = options.metrics {
            let port = try servers.listen("\(wanted)", role: .metrics) { metrics.answer($0) }
            let address = HostPort(host: wanted.host, port: port)
            log.info("metrics server listening", metadata: ["address": "\(address)"])
            hooks.metricsListening(address)
        }
        hooks.adminListening(address)
    }

    private func serve() -> ExitStatus {
        let reload = Reload(
            compiler: compiler, engine: engine, status: status, loop: loop, resolver: resolver,
            files: certificateFiles, log: logger(.config),
            live: { [unowned self] in becameLive($0) })
        engine.start()
        defer {
            reload.stop()
            store.stop()
            takeover?.stop()
            shutdown.stop()
            engine.stop()
            runOut()
            log.notice("stopped")
        }
        var isFirst = true
        store.start { [unowned self] delivery in
            reload.take(delivery) { [unowned self] problems in
                guard isFirst else { return }
                isFirst = false
                if let refusal = judge(delivery, problems) { refuse(refusal) }
            }
        }
        if let refusal { return refusal }
        let signals = options.takesSignals ? Signals(loop: loop) { [unowned self] in received($0, reload) } : nil
        loop.run()
        withExtendedLifetime(signals) {}
        return refusal ?? .success
    }

    /// Runs what others posted before they ended: work in the loop's queue holds on to what it works on.
    private func runOut() {
        loop.handle.stop()
        loop.run()
    }

    /// Whether the first configuration is one to run with.
    ///
    /// Later ones always are: what was good before stays.
    private func judge(_ delivery: Delivery, _ listenerProblems: [Problem]) -> ExitStatus? {
        let isAnyBroken = delivery.documentCount > 0 || delivery.diagnostics.contains { $0.severity == .error }
        if delivery.resources.count == 0, isAnyBroken {
            log.error("no usable configuration: nothing that was found can be used; the problems are named above")
            return .configuration
        }
        guard listenerProblems.isEmpty else {
            log.error("cannot start: a port of a Gateway cannot be listened on; it is named above")
            return .failure
        }
        return nil
    }

    /// Ends before anything was served.
    private func refuse(_ status: ExitStatus) {
        refusal = status
        loop.handle.stop()
    }

    private func becameLive(_ generation: UInt64) {
        guard refusal == nil else { return }
        if !isReady {
            do throws(TakeoverError) {
                try takeover?.becameReady()
            } catch {
                log.error("cannot take over: \(error)")
                return refuse(.failure)
            }
            log.notice("ready", metadata: ["milliseconds": "\(Int(status.uptimeSeconds * 1000))"])
        }
        isReady = true
        hooks.live(generation)
    }

    private func received(_ signal: Int32, _ reload: Reload) {
        switch signal {
        case SIGHUP:
            accessLogWriter?.reopen()
            let hasOtherCertificates = certificateFiles.reload()
            let isDifferent = store.reload()
            if hasOtherCertificates, !isDifferent { reload.certificatesChanged() }
            logger(.config).log(
                level: isDifferent || hasOtherCertificates ? .notice : .debug, "configuration read again",
                metadata: ["reason": "SIGHUP", "changed": "\(isDifferent || hasOtherCertificates)"])
        case SIGINT: shutdown.request("SIGINT")
        default: shutdown.request("SIGTERM")
        }
    }
}

/// Leads the engine's callback to the engine, which does not exist yet when the callback is made.
private final class EngineDoor: Sendable {
    private struct Target: Sendable {
        weak var engine: Engine?
    }

    private let target = Guarded(Target())

    func lead(to engine: Engine) { target.withLock { $0.engine = engine } }
    func open() -> Engine? { target.withLock { $0.engine } }
}

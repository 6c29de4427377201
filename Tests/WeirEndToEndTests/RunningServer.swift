import Logging
import WeirEngine
import WeirServer
import WeirTestSupport

/// The real server, in this process, on the files of a directory; ends with the object.
///
/// Its Gateways declare small ports such as 80, which are mapped to free ones.
final class RunningServer: Sendable {
    private struct State {
        var admin: HostPort?
        var metrics: HostPort?
        var generation: UInt64 = 0
        var handle: ServerHandle?
        var exit: ExitStatus?
    }

    let directory: TemporaryDirectory
    /// Gateway port to the port really listened on.
    let ports: [Int: Int]
    let log: LogRecord
    private let state: Guarded<State>
    private let thread: TestCrew

    /// Starts and does not wait; `ports` are the Gateway ports that the test will ever use.
    init(
        starting directory: TemporaryDirectory, ports: [Int] = [80], configure: (inout ServerOptions) -> Void = { _ in }
    ) throws {
        var options = ServerOptions(configPaths: [directory.path])
        options.admin.port = 0
        options.health = nil
        options.metrics = nil
        options.workers = 2
        options.bind = "127.0.0.1"
        options.takesSignals = false
        for port in ports { options.portMap[port] = try TestPort.free() }
        configure(&options)
        self.directory = directory
        self.ports = options.portMap
        let log = LogRecord()
        let state = Guarded(State())
        self.log = log
        self.state = state
        thread = TestCrew(1) { [options] _ in
            var hooks = ServerHooks()
            hooks.adminListening = { address in state.withLock { $0.admin = address } }
            hooks.metricsListening = { address in state.withLock { $0.metrics = address } }
            hooks.live = { generation in state.withLock { $0.generation = generation } }
            let server = Bootstrap(options: options, log: log.logger(.debug), hooks: hooks)
            let handle = server.handle
            state.withLock { $0.handle = handle }
            let exit = server.run()
            state.withLock { $0.exit = exit }
        }
    }

    /// Serves what is in `directory`; returns when the first generation is live.
    static func live(
        _ directory: TemporaryDirectory, ports: [Int] = [80], configure: (inout ServerOptions) -> Void = { _ in }
    ) throws -> RunningServer {
        var last = ""
        // Another process may take a port between finding and listening.
        for _ in 0..<20 {
            let server = try RunningServer(starting: directory, ports: ports, configure: configure)
            try eventually("the server is live or has ended", seconds: 30) {
                server.generation > 0 || server.exit != nil
            }
            if server.exit == nil { return server }
            last = server.log.text
            guard last.contains("in use") else { break }
        }
        throw TestSocketError(description: "the server did not start:\n\(last)")
    }

    /// Serves these documents as `all.yaml` of a directory of its own.
    static func live(
        _ documents: [String], ports: [Int] = [80], configure: (inout ServerOptions) -> Void = { _ in }
    ) throws -> RunningServer {
        let directory = try TemporaryDirectory()
        try directory.write("all.yaml", documents.asFile)
        return try live(directory, ports: ports, configure: configure)
    }

    deinit {
        // The second request cuts what the first would wait for.
        stop()
        stop()
        // Only a thread that could not be made fails here.
        try? thread.join()
    }

    // MARK: The server

    /// What all workers serve; 0 = nothing yet.
    var generation: UInt64 { state.withLock { $0.generation } }
    /// How the server ended; `nil` while it runs.
    var exit: ExitStatus? { state.withLock { $0.exit } }

    /// Asks the server to end, as SIGTERM does.
    func stop() { state.withLock { $0.handle }?.stop() }

    /// Makes a change and waits until all workers serve what came of it.
    func reload(seconds: Double = 15, _ change: () throws -> Void) throws {
        let before = generation
        try change()
        try eventually("a reload is live", seconds: seconds) { generation > before }
    }

    // MARK: Its answers

    /// The port really listened on for a Gateway's port.
    func port(_ declared: Int = 80) throws -> Int {
        guard let port = ports[declared] else {
            throw TestSocketError(description: "no local port for Gateway port \(declared)")
        }
        return port
    }

    func client(port declared: Int = 80) throws -> TestClient { try TestClient(port: try port(declared)) }

    /// One request on a connection of its own.
    func get(
        _ target: String = "/", host: String = "example.com", port declared: Int = 80,
        headers: [(String, String)] = []
    ) throws -> TestMessage {
        var client = try client(port: declared)
        return try client.request("GET", target, host: host, headers: headers)
    }

    /// One request to the admin server.
    func admin(_ target: String) throws -> TestMessage {
        var client = try adminClient()
        return try client.request("GET", target)
    }

    /// The metrics as the admin server tells them.
    func metrics() throws -> PrometheusText { PrometheusText(try admin("/stats/prometheus").text) }

    /// Where the metrics server listens, if there is to be one.
    var metricsAddress: HostPort? { state.withLock { $0.metrics } }

    func adminClient() throws -> TestClient { try TestClient(port: try adminPort()) }

    func adminPort() throws -> Int {
        guard let address = state.withLock({ $0.admin }) else {
            throw TestSocketError(description: "the admin server is not listening yet")
        }
        return address.port
    }
}

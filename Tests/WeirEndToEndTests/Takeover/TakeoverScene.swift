import Testing
import WeirTestSupport

/// Processes that follow each other at the same path and ports, as an operator runs them.
struct TakeoverScene {
    static let program = ChildProcess.built("weir")

    let directory: TemporaryDirectory
    /// Of the process that serves first.
    let config: TemporaryDirectory
    /// Gateway port to the port really listened on.
    let ports: [Int: Int]
    let health: Int

    init(_ documents: [String]) throws {
        directory = try TemporaryDirectory()
        config = try TemporaryDirectory()
        ports = try Dictionary(uniqueKeysWithValues: [80, 81, 443].map { ($0, try TestPort.free()) })
        health = try TestPort.free()
        try config.replace("all.yaml", documents.asFile)
    }

    var path: String { directory.path("takeover.sock") }

    func port(_ declared: Int = 80) throws -> Int { try #require(ports[declared]) }

    func start(
        workers: Int = 2, config other: TemporaryDirectory? = nil, options: [String] = []
    ) throws -> ChildProcess {
        try ChildProcess(
            Self.program,
            [
                "serve", "--config", (other ?? config).path, "--takeover", path, "--workers", "\(workers)",
                "--admin", "127.0.0.1:0", "--health", "127.0.0.1:\(health)", "--metrics", "off",
                "--bind", "127.0.0.1",
            ] + ports.flatMap { ["--listen-map", "\($0)=\($1)"] } + options)
    }

    /// Starts a process, which takes over if there is one before it, and waits until a successor could.
    func serve(workers: Int = 2, options: [String] = []) throws -> ChildProcess {
        let process = try start(workers: workers, options: options)
        try eventually("a successor can take over:\n\(process.errors)", seconds: 60) {
            try #require(process.exitStatus() == nil, "\(process.errors)")
            return process.errors.contains("a successor can take over")
        }
        return process
    }

    /// Replaces a process by another, and waits for its end.
    func replace(_ process: ChildProcess, workers: Int = 2) throws -> ChildProcess {
        let successor = try serve(workers: workers)
        #expect(successor.errors.contains("taken over"))
        #expect(try process.end() == 0, "\(process.errors)")
        return successor
    }

    func get(_ declared: Int = 80, _ target: String = "/") throws -> TestMessage {
        var client = try TestClient(port: port(declared))
        return try client.request("GET", target)
    }
}

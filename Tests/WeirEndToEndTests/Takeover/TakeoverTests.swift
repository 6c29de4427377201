import Glibc
import Testing
import WeirTestSupport

/// One process after the other at the same ports: the program as an operator runs it, replaced while it serves.
@Suite struct TakeoverTests {
    private static let program = ChildProcess.built("weir")

    private let directory: TemporaryDirectory
    /// Of the process that serves first.
    private let config: TemporaryDirectory
    private let origin: EchoOrigin
    /// Gateway port 80, Gateway port 81, and the health server's.
    private let ports: [Int]

    init() throws {
        directory = try TemporaryDirectory()
        config = try TemporaryDirectory()
        origin = try EchoOrigin()
        ports = try (0..<3).map { _ in try TestPort.free() }
        try configure(config)
    }

    private var path: String { directory.path("takeover.sock") }

    private func configure(_ directory: TemporaryDirectory, ports: [Int] = [80]) throws {
        try directory.replace(
            "all.yaml",
            [
                Documents.gateway(ports: ports), Documents.virtualService("routes", hosts: ["*"], to: "origin"),
                Documents.serviceEntry("origin", ports: [origin.port]),
            ].asFile)
    }

    private func start(
        workers: Int = 2, config other: TemporaryDirectory? = nil, options: [String] = []
    ) throws -> ChildProcess {
        try ChildProcess(
            Self.program,
            [
                "serve", "--config", (other ?? config).path, "--takeover", path, "--workers", "\(workers)",
                "--admin", "127.0.0.1:0", "--health", "127.0.0.1:\(ports[2])", "--metrics", "off",
                "--listen-map", "80=\(ports[0])", "--listen-map", "81=\(ports[1])", "--bind", "127.0.0.1",
            ] + options)
    }

    /// Starts a process that is ready for a successor.
    private func serve(workers: Int = 2, options: [String] = []) throws -> ChildProcess {
        let process = try start(workers: workers, options: options)
        try eventually("a successor can take over:\n\(process.errors)", seconds: 60) {
            try #require(process.exitStatus() == nil, "\(process.errors)")
            return process.errors.contains("a successor can take over")
        }
        return process
    }

    private func get(_ port: Int, _ target: String = "/") throws -> TestMessage {
        var client = try TestClient(port: port)
        return try client.request("GET", target)
    }

    private func adminPort(_ process: ChildProcess) throws -> Int {
        let word = process.output.split(separator: "\n").first?.split(separator: ":").last
        return try #require(word.flatMap { Int($0) }, "\(process.output)")
    }

    /// More workers, fewer, and numbers that do not divide each other.
    @Test func noRequestFailsWhileProcessesFollowEachOther() throws {
        var process = try serve(workers: 2)
        let load = RestartLoad(clients: 8, port: ports[0])
        try load.goesOn()
        for workers in [3, 1, 4, 2, 2] {
            let successor = try serve(workers: workers)
            #expect(successor.errors.contains("taken over"))
            #expect(try process.end() == 0, "\(process.errors)")
            #expect(process.errors.contains("another process has taken over") || process.errors.contains("taken over"))
            try load.goesOn()
            process = successor
        }
        try load.end()
    }

    @Test func readinessNeverFails() throws {
        let first = try serve()
        let isDone = TestSignal()
        let port = ports[2]
        let probes = TestCrew(2) { _ in
            while !isDone.isRaised {
                var client = try TestClient(port: port)
                let answer = try client.request("GET", "/healthz/ready", headers: [("Connection", "close")])
                guard answer.status == 200 else { throw TestSocketError(description: answer.text) }
            }
        }
        let second = try serve()
        #expect(try first.end() == 0)
        let third = try serve()
        #expect(try second.end() == 0)
        isDone.raise()
        try probes.join()
        third.signal(SIGTERM)
        #expect(try third.end() == 0)
    }

    @Test func theAdminServerKeepsThePortItPicked() throws {
        let first = try serve()
        let port = try adminPort(first)
        let second = try serve()
        #expect(try first.end() == 0)
        #expect(try adminPort(second) == port)
        #expect(try get(port, "/ready").status == 200)
    }

    @Test func aRequestUnderWayIsFinishedByTheProcessBefore() throws {
        let slow = try SlowOrigin()
        try config.replace(
            "all.yaml",
            [
                Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "slow"),
                Documents.serviceEntry("slow", ports: [slow.port]),
            ].asFile)
        let first = try serve()
        var client = try TestClient(port: ports[0])
        try client.socket.send("GET \(SlowOrigin.Target.beforeHead) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        let second = try serve()
        #expect(first.exitStatus() == nil)
        slow.finish()
        let answer = try client.response()
        #expect(answer.text == SlowOrigin.Target.body && answer["connection"] == "close")
        #expect(try first.end() == 0)
        #expect(try get(ports[0], "/after").text == "/after")
        second.signal(SIGTERM)
        #expect(try second.end() == 0)
    }

    @Test func portsComeAndGoWithTheNewConfiguration() throws {
        try configure(config, ports: [80, 81])
        let first = try serve()
        #expect(try get(ports[1]).status == 200)
        // Another directory, so that the process before keeps its ports.
        let next = try TemporaryDirectory()
        try configure(next, ports: [81, 82])
        let fresh = try TestPort.free()
        let second = try start(config: next, options: ["--listen-map", "82=\(fresh)"])
        #expect(try first.end() == 0)
        #expect(try get(ports[1]).status == 200)
        #expect(try get(fresh).status == 200)
        try eventually("nobody listens where no Gateway is") { TestPort.isFree(ports[0]) }
        second.signal(SIGTERM)
        #expect(try second.end() == 0)
    }

    @Test func aSuccessorThatCannotServeChangesNothing() throws {
        let first = try serve()
        let load = RestartLoad(clients: 4, port: ports[0])
        let bad = try TemporaryDirectory()
        try bad.write("all.yaml", "kind: [unclosed")
        let broken = try start(config: bad)
        #expect(try broken.end() == 78, "\(broken.errors)")
        try load.goesOn()
        // A port that somebody else has.
        let holder = try PortHolder()
        let other = try TemporaryDirectory()
        try configure(other, ports: [80, 90])
        let busy = try start(config: other, options: ["--listen-map", "90=\(holder.port)"])
        #expect(try busy.end() == 1, "\(busy.errors)")
        #expect(busy.errors.contains("\(holder.port)"))
        try load.goesOn()
        #expect(first.exitStatus() == nil)
        let second = try serve(workers: 1)
        #expect(try first.end() == 0)
        try load.goesOn()
        try load.end()
        second.signal(SIGTERM)
        #expect(try second.end() == 0)
    }

    @Test func aProcessThatEndsTakesItsSocketAlongAndOneThatWasKilledIsReplaced() throws {
        let first = try serve()
        first.signal(SIGTERM)
        #expect(try first.end() == 0)
        #expect(access(path, F_OK) != 0)
        let second = try serve()
        second.signal(SIGKILL)
        #expect(try second.end() == -SIGKILL)
        #expect(access(path, F_OK) == 0)
        let third = try serve()
        #expect(try get(ports[0]).status == 200)
        third.signal(SIGTERM)
        #expect(try third.end() == 0)
    }

    @Test func theSocketIsForItsOwnUserAlone() throws {
        let process = try serve()
        var info = stat()
        #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o600)
        process.signal(SIGTERM)
        #expect(try process.end() == 0)
    }

    @Test func aPathThatCannotBeUsedIsToldAtTheStart() throws {
        try directory.write("takeover.sock", "precious")
        let foreign = try start()
        #expect(try foreign.end() == 1)
        #expect(foreign.errors.contains("\(path) is there and is no socket"), "\(foreign.errors)")
        try directory.remove("takeover.sock")
        let lost = try ChildProcess(
            Self.program,
            [
                "serve", "--config", config.path, "--takeover", directory.path("none/takeover.sock"),
                "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off", "--listen-map", "80=\(ports[0])",
            ])
        #expect(try lost.end() == 1)
        #expect(lost.errors.contains("does not exist"), "\(lost.errors)")
    }
}

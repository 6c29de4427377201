import Glibc
import Testing
import WeirTestSupport

/// One process after the other at the same ports: the program as an operator runs it, replaced while it serves.
@Suite struct TakeoverTests {
    private let scene: TakeoverScene
    private let origin: EchoOrigin

    init() throws {
        origin = try EchoOrigin()
        scene = try TakeoverScene(Self.documents(origin))
    }

    private static func documents(_ origin: EchoOrigin, ports: [Int] = [80]) -> [String] {
        [
            Documents.gateway(ports: ports), Documents.virtualService("routes", hosts: ["*"], to: "origin"),
            Documents.serviceEntry("origin", ports: [origin.port]),
        ]
    }

    /// Another configuration, so that the process before keeps its own.
    private func directory(ports: [Int]) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        try directory.write("all.yaml", Self.documents(origin, ports: ports).asFile)
        return directory
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
        var process = try scene.serve(workers: 2)
        let load = RestartLoad(clients: 8, port: try scene.port())
        try load.goesOn()
        for workers in [3, 1, 4, 2, 2] {
            process = try scene.replace(process, workers: workers)
            try load.goesOn()
        }
        try load.end()
    }

    @Test func readinessNeverFails() throws {
        let first = try scene.serve()
        let isDone = TestSignal()
        let port = scene.health
        let probes = TestCrew(2) { _ in
            while !isDone.isRaised {
                var client = try TestClient(port: port)
                let answer = try client.request("GET", "/healthz/ready", headers: [("Connection", "close")])
                guard answer.status == 200 else { throw TestSocketError(description: answer.text) }
            }
        }
        let second = try scene.serve()
        #expect(try first.end() == 0)
        let third = try scene.serve()
        #expect(try second.end() == 0)
        isDone.raise()
        try probes.join()
        third.signal(SIGTERM)
        #expect(try third.end() == 0)
    }

    @Test func theAdminServerKeepsThePortItPicked() throws {
        let first = try scene.serve()
        let port = try adminPort(first)
        let second = try scene.serve()
        #expect(try first.end() == 0)
        #expect(try adminPort(second) == port)
        #expect(try get(port, "/ready").status == 200)
    }

    @Test func aRequestUnderWayIsFinishedByTheProcessBefore() throws {
        let slow = try SlowOrigin()
        try scene.config.replace(
            "all.yaml",
            [
                Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "slow"),
                Documents.serviceEntry("slow", ports: [slow.port]),
            ].asFile)
        let first = try scene.serve()
        var client = try TestClient(port: scene.port())
        try client.socket.send("GET \(SlowOrigin.Target.beforeHead) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        let second = try scene.serve()
        #expect(first.exitStatus() == nil)
        slow.finish()
        let answer = try client.response()
        #expect(answer.text == SlowOrigin.Target.body && answer["connection"] == "close")
        #expect(try first.end() == 0)
        #expect(try scene.get(80, "/after").text == "/after")
        second.signal(SIGTERM)
        #expect(try second.end() == 0)
    }

    @Test func portsComeAndGoWithTheNewConfiguration() throws {
        try scene.config.replace("all.yaml", Self.documents(origin, ports: [80, 81]).asFile)
        let first = try scene.serve()
        #expect(try scene.get(81).status == 200)
        let next = try directory(ports: [81, 82])
        let fresh = try TestPort.free()
        let second = try scene.start(config: next, options: ["--listen-map", "82=\(fresh)"])
        #expect(try first.end() == 0)
        #expect(try scene.get(81).status == 200)
        #expect(try get(fresh).status == 200)
        try eventually("nobody listens where no Gateway is") { try TestPort.isFree(scene.port()) }
        second.signal(SIGTERM)
        #expect(try second.end() == 0)
    }

    @Test func aSuccessorThatCannotServeChangesNothing() throws {
        let first = try scene.serve()
        let load = RestartLoad(clients: 4, port: try scene.port())
        let bad = try TemporaryDirectory()
        try bad.write("all.yaml", "kind: [unclosed")
        let broken = try scene.start(config: bad)
        #expect(try broken.end() == 78, "\(broken.errors)")
        try load.goesOn()
        // A port that somebody else has.
        let holder = try PortHolder()
        let other = try directory(ports: [80, 90])
        let busy = try scene.start(config: other, options: ["--listen-map", "90=\(holder.port)"])
        #expect(try busy.end() == 1, "\(busy.errors)")
        #expect(busy.errors.contains("\(holder.port)"))
        try load.goesOn()
        #expect(first.exitStatus() == nil)
        let second = try scene.serve(workers: 1)
        #expect(try first.end() == 0)
        try load.goesOn()
        try load.end()
        second.signal(SIGTERM)
        #expect(try second.end() == 0)
    }

    @Test func aProcessThatEndsTakesItsSocketAlongAndOneThatWasKilledIsReplaced() throws {
        let first = try scene.serve()
        first.signal(SIGTERM)
        #expect(try first.end() == 0)
        #expect(access(scene.path, F_OK) != 0)
        let second = try scene.serve()
        second.signal(SIGKILL)
        #expect(try second.end() == -SIGKILL)
        #expect(access(scene.path, F_OK) == 0)
        let third = try scene.serve()
        #expect(try scene.get().status == 200)
        third.signal(SIGTERM)
        #expect(try third.end() == 0)
    }

    @Test func theSocketIsForItsOwnUserAlone() throws {
        let process = try scene.serve()
        var info = stat()
        #expect(stat(scene.path, &info) == 0 && info.st_mode & 0o777 == 0o600)
        process.signal(SIGTERM)
        #expect(try process.end() == 0)
    }

    @Test func aPathThatCannotBeUsedIsToldAtTheStart() throws {
        try scene.directory.write("takeover.sock", "precious")
        let foreign = try scene.start()
        #expect(try foreign.end() == 1)
        #expect(foreign.errors.contains("\(scene.path) is there and is no socket"), "\(foreign.errors)")
        try scene.directory.remove("takeover.sock")
        let lost = try scene.start(options: ["--takeover", scene.directory.path("none/takeover.sock")])
        #expect(try lost.end() == 1)
        #expect(lost.errors.contains("does not exist"), "\(lost.errors)")
    }
}

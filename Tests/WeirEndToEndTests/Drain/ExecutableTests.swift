import Glibc
import Testing
import WeirTestSupport

/// The program as an operator runs it: a process of its own, signals and exit statuses.
@Suite struct ExecutableTests {
    private static let program = ChildProcess.built("weir")

    /// A process that serves, and where.
    private struct Serving {
        let process: ChildProcess
        let port: Int
        let admin: Int
        let health: Int
    }

    private func serve(_ directory: TemporaryDirectory, file: String = "", logLevel: String = "info") throws -> Serving
    {
        var said = ""
        for _ in 0..<20 {
            let port = try TestPort.free()
            let health = try TestPort.free()
            let process = try ChildProcess(
                Self.program,
                [
                    "serve", "--config", file.isEmpty ? directory.path : directory.path(file),
                    "--admin", "127.0.0.1:0", "--health", "127.0.0.1:\(health)", "--metrics", "off",
                    "--listen-map", "80=\(port)", "--bind", "127.0.0.1", "--workers", "2", "--log-level", logLevel,
                ])
            var status: Int32?
            try eventually("the program is ready or has ended", seconds: 60) {
                status = process.exitStatus()
                return status != nil || process.errors.contains(" notice ready")
            }
            if status == nil {
                let word = process.output.split(separator: "\n").first?.split(separator: ":").last
                let admin = try #require(word.flatMap { Int($0) }, "the admin port is printed: \(process.output)")
                return Serving(process: process, port: port, admin: admin, health: health)
            }
            said = process.errors
            guard said.contains("in use") else { break }
        }
        throw TestSocketError(description: "weir serve did not start:\n\(said)")
    }

    private func directory(origin: Int) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        try directory.write(
            "all.yaml",
            [
                Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "slow"),
                Documents.serviceEntry("slow", ports: [origin]),
            ].asFile)
        return directory
    }

    private func run(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
        let process = try ChildProcess(Self.program, arguments)
        let status = try process.end(seconds: 60)
        return (status, process.output, process.errors)
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalDrainsAndEndsWithZero(signal: Int32) throws {
        let slow = try SlowOrigin()
        let serving = try serve(directory(origin: slow.port))
        var client = try TestClient(port: serving.port)
        #expect(try client.request("GET", "/before").text == "/before")
        try client.socket.send("GET \(SlowOrigin.Target.beforeHead) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        serving.process.signal(signal)
        try eventually("readiness fails") {
            var admin = try TestClient(port: serving.admin)
            return try admin.request("GET", "/ready").status == 503
        }
        try eventually("no connection is accepted any more") { TestPort.isFree(serving.port) }
        #expect(serving.process.exitStatus() == nil)
        slow.finish()
        let answer = try client.response()
        #expect(answer.text == SlowOrigin.Target.body && answer["connection"] == "close")
        #expect(try client.hasEnded())
        #expect(try serving.process.end() == 0)
        #expect(serving.process.errors.contains(signal == SIGTERM ? "reason=SIGTERM" : "reason=SIGINT"))
    }

    @Test func aSecondSignalEndsAtOnce() throws {
        let slow = try SlowOrigin()
        let serving = try serve(directory(origin: slow.port))
        var client = try TestClient(port: serving.port)
        try client.socket.send("GET \(SlowOrigin.Target.insideBody) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        serving.process.signal(SIGTERM)
        try eventually("no connection is accepted any more") { TestPort.isFree(serving.port) }
        serving.process.signal(SIGTERM)
        #expect(try serving.process.end(seconds: 10) == 0)
        #expect(try client.response().isTruncated)
    }

    @Test func hangUpReadsEverythingAgainAndServesOn() throws {
        let slow = try SlowOrigin()
        let directory = try directory(origin: slow.port)
        let serving = try serve(directory, logLevel: "debug")
        var client = try TestClient(port: serving.port)
        #expect(try client.request("GET", "/before").text == "/before")
        serving.process.signal(SIGHUP)
        try eventually("the log says so") { serving.process.errors.contains("debug configuration read again") }
        #expect(!serving.process.errors.contains("notice configuration read again"), "nothing changed")
        #expect(try client.request("GET", "/after").text == "/after")
        try directory.remove("all.yaml")
        serving.process.signal(SIGHUP)
        try eventually("what changed is served") { try client.request("GET", "/").status == 404 }
        serving.process.signal(SIGTERM)
        #expect(try serving.process.end() == 0)
    }

    /// Listing a directory, and reading a file.
    @Test(arguments: ["", "all.yaml"])
    func aChangeReadWithoutDescriptorsIsNotLost(file: String) throws {
        let slow = try SlowOrigin()
        let directory = try directory(origin: slow.port)
        let serving = try serve(directory, file: file)
        var client = try TestClient(port: serving.port)
        #expect(try client.request("GET", "/").status == 200)
        func limit(_ descriptors: Int) throws {
            let tool = try ChildProcess(
                "/usr/bin/prlimit", ["--pid", "\(serving.process.id)", "--nofile=\(descriptors):"])
            try #require(try tool.end() == 0, "\(tool.errors)")
        }
        let shortage = "Too many open files"
        try limit(3)
        try directory.replace("all.yaml", Documents.gateway())
        try eventually("the log says so") { serving.process.errors.contains(shortage) }
        usleep(2_500_000)
        #expect(serving.process.errors.split(separator: "\n").filter { $0.contains(shortage) }.count == 1)
        #expect(try client.request("GET", "/").status == 200, "what it gave stays")
        try limit(1024)
        try eventually("the change is seen") { try client.request("GET", "/").status == 404 }
        try eventually("the log says that it is over") { serving.process.errors.contains("resolved: ") }
        serving.process.signal(SIGTERM)
        #expect(try serving.process.end() == 0)
    }

    @Test func healthcheckFollowsTheServer() throws {
        let slow = try SlowOrigin()
        let serving = try serve(directory(origin: slow.port))
        #expect(try run("healthcheck", "--health", "127.0.0.1:\(serving.health)").status == 0)
        var probe = try TestClient(port: serving.health)
        #expect(try probe.request("GET", "/healthz/ready").status == 200)
        #expect(try probe.request("GET", "/healthz/live").status == 200)
        serving.process.signal(SIGTERM)
        #expect(try serving.process.end() == 0)
        let refused = try run("healthcheck", "--health", "127.0.0.1:\(serving.health)")
        #expect(refused.status == 1)
        #expect(refused.errors == "not ready: 127.0.0.1:\(serving.health): connect: Connection refused\n")
        let silent = try PortHolder()
        let late = try run("healthcheck", "--health", "127.0.0.1:\(silent.port)")
        #expect(late.status == 1 && late.errors.hasSuffix("no answer in time\n"), "\(late.errors)")
    }

    @Test func healthcheckTellsTheStatusOfAServerThatIsNotReady() throws {
        let slow = try SlowOrigin()
        let serving = try serve(directory(origin: slow.port))
        let client = try TestClient(port: serving.port)
        try client.socket.send("GET \(SlowOrigin.Target.beforeHead) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        serving.process.signal(SIGTERM)
        try eventually("draining") { TestPort.isFree(serving.port) }
        let told = try run("healthcheck", "--health", "127.0.0.1:\(serving.health)")
        #expect(told.status == 1 && told.errors.hasPrefix("not ready: HTTP/1.1 503"), "\(told.errors)")
        slow.finish()
        #expect(try serving.process.end() == 0)
    }

    @Test func aBusyPortEndsWithOneAndItsNumber() throws {
        let holder = try PortHolder()
        let directory = try directory(origin: 1)
        let ended = try run(
            "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off",
            "--listen-map",
            "80=\(holder.port)")
        #expect(ended.status == 1 && ended.errors.contains("\(holder.port)"), "\(ended.errors)")
    }

    @Test func unusableConfigurationEndsWithSeventyEight() throws {
        let directory = try TemporaryDirectory()
        try directory.write("bad.yaml", "kind: [unclosed")
        let ended = try run(
            "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off")
        #expect(ended.status == 78 && ended.errors.contains(directory.path("bad.yaml") + ":"), "\(ended.errors)")
        let missing = try run(
            "serve", "--config", directory.path("none"), "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off"
        )
        #expect(missing.status == 78 && missing.errors.contains(directory.path("none")), "\(missing.errors)")
    }

    @Test(arguments: [["serve"], ["serve", "--config", ".", "--workers", "0"], ["serve", "--nonsense"], ["nonsense"]])
    func aWrongCommandLineEndsWithSixtyFour(arguments: [String]) throws {
        let process = try ChildProcess(Self.program, arguments)
        #expect(try process.end() == 64)
        #expect(process.errors.contains("Usage"), "\(process.errors)")
    }

    @Test func versionIsOneLine() throws {
        let told = try run("version")
        #expect(told.status == 0 && told.output.hasPrefix("weir ") && told.output.split(separator: "\n").count == 1)
    }
}

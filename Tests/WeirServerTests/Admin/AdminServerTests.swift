import Foundation
import Logging
import Testing
import WeirCompiler
import WeirConfig
import WeirSources

@testable import WeirEngine
@testable import WeirServer

/// The admin and health servers' answers, without sockets.
@Suite struct AdminServerTests {
    private let status = ServerStatus(workers: 3)

    private func answer(_ path: String, method: String = "GET") -> LocalAnswerText {
        let request = LocalRequest(method: method, path: path, query: "", headers: [])
        let engine = Engine(options: EngineOptions())
        let servers = LocalServers(name: "test")
        let metrics = MetricsServer(
            engine: engine, names: DestinationNames(), source: SourceLabels(),
            server: ServerMetrics(status: status), servers: servers)
        let logging = LogSettings(levels: LogLevels(.info), log: LogRecord().logger)
        let listings = ListingServer(engine: engine, status: status, servers: servers)
        return LocalAnswerText(
            AdminServer(status: status, metrics: metrics, logging: logging, listings: listings).answer(request))
    }

    private func health(_ path: String) -> LocalAnswerText {
        let request = LocalRequest(method: "GET", path: path, query: "", headers: [])
        return LocalAnswerText(HealthServer(status: status).answer(request))
    }

    private func publish() throws {
        let yaml = DemoConfiguration.files(port: 80, backendPorts: [1, 2, 3]).map(\.text).joined(separator: "---\n")
        let resources = DocumentSplitter.split(Array(yaml.utf8)).flatMap {
            DocumentDecoder().decode($0, file: "a.yaml").resources
        }
        let snapshot = Compiler(options: CompilerOptions(workers: 1)).compile(ResourceSet(resources)).snapshot
        var configuration = ServerStatus.Configuration()
        configuration.resources = ["Gateway": 1]
        configuration.listeners = [ServerStatus.Listener(port: 80, localPort: 8080, bind: nil, listening: true)]
        configuration.problems = [
            Problem(
                Diagnostic(
                    .unreadableFile, .error, location: SourceLocation(file: "b.yaml", line: 9), message: "No YAML."))
        ]
        configuration.files = [FileSummary(path: "a.yaml", documents: 4, resources: 4, kept: 0)]
        status.published(configuration, snapshot: snapshot)
    }

    @Test func readinessFollowsTheServersLife() throws {
        #expect(answer("/ready").status == 503)
        #expect(health("/healthz/ready").status == 503)
        #expect(health("/healthz/live").status == 200)
        try publish()
        #expect(answer("/ready").status == 503)
        status.live(generation: 1, afterSeconds: 0.01)
        #expect(answer("/ready").status == 200)
        #expect(health("/healthz/ready").status == 200)
        status.startedDraining()
        #expect(answer("/ready").status == 503)
        #expect(answer("/ready").text.contains("draining"))
        #expect(health("/healthz/ready").status == 503)
        #expect(health("/healthz/live").status == 200)
    }

    @Test func statusTellsGenerationResourcesAndProblems() throws {
        try publish()
        status.live(generation: 1, afterSeconds: 0.0125)
        let report = try #require(try answer("/status").json() as? [String: Any])
        #expect(report["version"] as? String == weirVersion)
        #expect(report["generation"] as? Int == 1)
        #expect(report["ready"] as? Bool == true)
        #expect(report["draining"] as? Bool == false)
        #expect(report["workers"] as? Int == 3)
        #expect(report["resources"] as? [String: Int] == ["Gateway": 1])
        let listener = try #require((report["listeners"] as? [[String: Any]])?.first)
        #expect(listener["port"] as? Int == 80)
        #expect(listener["localPort"] as? Int == 8080)
        #expect(listener["listening"] as? Bool == true)
        let problem = try #require((report["problems"] as? [[String: Any]])?.first)
        #expect(problem["code"] as? String == "WEIR0001")
        #expect(problem["severity"] as? String == "error")
        #expect(problem["file"] as? String == "b.yaml")
        #expect(problem["line"] as? Int == 9)
        let file = try #require((report["files"] as? [[String: Any]])?.first)
        #expect(file["path"] as? String == "a.yaml")
        let reload = try #require(report["lastReload"] as? [String: Any])
        #expect(reload["durationMilliseconds"] as? Double == 12.5)
    }

    @Test func theDumpIsJSONInPieces() throws {
        #expect(answer("/config_dump").status == 503)
        try publish()
        let dump = try #require(try answer("/config_dump").json() as? [String: Any])
        #expect(dump["generation"] as? Int == 1)
        let listener = try #require((dump["listeners"] as? [[String: Any]])?.first)
        #expect(listener["port"] as? Int == 80)
        let host = try #require((listener["hosts"] as? [[String: Any]])?.first)
        #expect(host["host"] as? String == "*")
        let route = try #require((host["routes"] as? [[String: Any]])?.first)
        #expect(route["resource"] as? String == "VirtualService default/reviews")
        #expect(route["file"] as? String == "a.yaml")
        let destinations = try #require(route["destinations"] as? [[String: Any]])
        #expect(destinations.map { $0["weight"] as? Int } == [50, 50])
        let clusters = try #require(dump["clusters"] as? [[String: Any]])
        #expect(clusters.count >= 2)
        #expect(clusters.allSatisfy { ($0["endpoints"] as? [Any])?.count == 1 })
    }

    @Test func anEmptyDumpIsJSONToo() throws {
        let dump = ConfigDump(Snapshot.empty.describe())
        var bytes: [UInt8] = []
        while let piece = dump.next() { bytes += piece }
        let value = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        #expect((value?["listeners"] as? [Any])?.count == 0)
    }

    @Test func theIndexNamesTheEndpoints() {
        let paths = ["/ready", "/status", "/config_dump", "/logging", "/stats/prometheus"]
        for path in paths + ["/routes", "/clusters", "/endpoints", "/listeners"] {
            #expect(answer("/").text.contains(path))
        }
    }

    @Test func unknownPathsAndMethodsAreRefused() {
        #expect(answer("/nothing").status == 404)
        #expect(answer("/nothing", method: "POST").status == 404)
        #expect(answer("/status", method: "POST").status == 405)
        #expect(answer("/status", method: "HEAD").status == 200)
        #expect(health("/").status == 404)
    }
}

/// An answer read whole.
struct LocalAnswerText {
    let status: Int
    let text: String

    init(_ response: LocalResponse) {
        status = response.status
        var bytes: [UInt8] = []
        switch response.body {
        case .whole(let whole): bytes = whole
        case .stream(let next): while case .bytes(let piece) = next() { bytes += piece }
        case .later: break
        }
        text = String(decoding: bytes, as: UTF8.self)
    }

    func json() throws -> Any { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
}

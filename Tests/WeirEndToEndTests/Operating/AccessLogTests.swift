import Foundation
import Testing
import WeirTestSupport

/// The access log of the program as an operator runs it.
@Suite struct AccessLogTests {
    private static let host = "origin.default.svc.cluster.local"

    /// A process that serves, where, and the file of its log.
    private struct Serving {
        let process: ChildProcess
        let port: Int
        let directory: TemporaryDirectory
        let path: String

        var log: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
        var lines: [String] { log.split(separator: "\n").map(String.init) }

        /// Ends the process; returns the lines of its whole life.
        func end() throws -> [String] {
            process.signal(SIGTERM)
            #expect(try process.end() == 0, "\(process.errors)")
            return lines
        }
    }

    private func serve(origins: [Int], _ format: String, target: String = "access.log") throws -> Serving {
        let directory = try TemporaryDirectory()
        let routes = """
            - name: missing
              match: [{uri: {prefix: /missing}}]
              route: [{destination: {host: nowhere.example.com}}]
            - name: plain
              match: [{uri: {prefix: /}}]
              route: [{destination: {host: \(Self.host)}}]
            """
        try directory.write(
            "all.yaml",
            [
                Documents.gateway(), Documents.virtualService(hosts: ["example.com"], http: routes),
                Documents.serviceEntry("origin", ports: origins),
            ].asFile)
        let path = target == "-" ? target : directory.path(target)
        for _ in 0..<20 {
            let port = try TestPort.free()
            let process = try ChildProcess(
                ChildProcess.built("weir"),
                [
                    "serve", "--config", directory.path("all.yaml"), "--admin", "127.0.0.1:0", "--health", "off",
                    "--metrics", "off", "--listen-map", "80=\(port)", "--bind", "127.0.0.1", "--workers", "2",
                    "--access-log", path, "--access-log-format", format,
                ])
            var status: Int32?
            try eventually("the program is ready or has ended", seconds: 60) {
                status = process.exitStatus()
                return status != nil || process.errors.contains(" notice ready")
            }
            if status == nil { return Serving(process: process, port: port, directory: directory, path: path) }
            guard process.errors.contains("in use") else {
                throw TestSocketError(description: "weir serve did not start:\n\(process.errors)")
            }
        }
        throw TestSocketError(description: "no free port")
    }

    /// The words of a text line; a quoted field is one word, and so is the bracketed time.
    private func words(_ line: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        for character in line {
            if character == "\"" {
                isQuoted.toggle()
            } else if character == " ", !isQuoted {
                words.append(word)
                word = ""
            } else {
                word.append(character)
            }
        }
        return words + [word]
    }

    @Test func everyRequestHasOneLineOfText() throws {
        let origin = try OriginServer(name: "v1")
        defer { origin.stop() }
        let serving = try serve(origins: [origin.port], "text")
        let crew = TestCrew(4) { number in
            var client = try TestClient(port: serving.port)
            for request in 0..<250 {
                _ = try client.request(
                    "GET", "/\(number)/\(request)?q", host: "example.com", headers: [("user-agent", "a \"b\" c")])
            }
        }
        try crew.join()
        let lines = try serving.end().map(words)
        #expect(lines.count == 1000 && lines.allSatisfy { $0.count == 22 }, "\(lines.first ?? [])")
        let requests = Set(lines.map { $0[1] })
        #expect(requests.count == 1000 && requests.contains("GET /3/249?q HTTP/1.1"))
        let line = try #require(lines.first)
        #expect(line[0].wholeMatch(of: /\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]/) != nil, "\(line[0])")
        #expect(line[2...6] == ["200", "-", "via_upstream", "-", "-"])
        #expect(line[11] == "127.0.0.1" && line[12] == #"a \x22b\x22 c"# && line[13].count == 36)
        #expect(line[14] == "example.com" && line[15] == "127.0.0.1:\(origin.port)")
        #expect(line[16] == "outbound|80||\(Self.host)" && line[17].hasPrefix("127.0.0.1:"))
        #expect(line[18] == "127.0.0.1:\(serving.port)" && line[19].hasPrefix("127.0.0.1:"))
        #expect(line[20...] == ["-", "plain"])
    }

    /// A line of JSON as it was written.
    private func object(_ line: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }

    @Test func whateverIsAnsweredHasItsLineOfJSON() throws {
        let slow = try SlowOrigin()
        let serving = try serve(origins: [slow.port], "json")
        var client = try TestClient(port: serving.port)
        #expect(try client.request("GET", "/ok", host: "example.com").status == 200)
        #expect(try client.request("GET", "/x", host: "other.example.com").status == 404)
        #expect(try client.request("GET", "/missing", host: "example.com").status == 503)
        try client.socket.send("GET /\u{1} HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try client.response().status == 400)
        let leaver = try TestClient(port: serving.port)
        try leaver.socket.send("GET \(SlowOrigin.Target.beforeHead) HTTP/1.1\r\nHost: example.com\r\n\r\n")
        try slow.hasBegun.wait("the request is in flight")
        leaver.socket.disconnect()
        try eventually("all five are logged") { serving.lines.count == 5 }
        // Connections may be of several workers, whose lines come in no order between them.
        let codes = [200, 404, 503, 400, 0]
        let written = try serving.end().map { try object($0) }
        let lines = codes.compactMap { code in written.first { $0["response_code"] as? Int == code } }
        try #require(lines.count == codes.count && written.count == codes.count, "\(written)")
        #expect(lines.map { $0["response_flags"] as? String } == ["-", "NR", "NC", "DPE", "DC"])
        let details = [
            "via_upstream", "route_not_found", "cluster_not_found", "http1.codec_error", "downstream_remote_disconnect",
        ]
        #expect(lines.map { $0["response_code_details"] as? String } == details)
        #expect(lines.map { $0["path"] as? String } == ["/ok", "/x", "/missing", nil, SlowOrigin.Target.beforeHead])
        #expect(lines.map { $0["route_name"] as? String } == ["plain", nil, "missing", nil, "plain"])
        #expect(lines[1]["upstream_cluster"] is NSNull && lines[2]["upstream_host"] is NSNull)
        #expect(lines[4]["upstream_host"] as? String == "127.0.0.1:\(slow.port)")
        #expect(lines[0]["bytes_sent"] as? Int == 3 && lines[0]["upstream_service_time"] is String)
    }

    @Test func aRefusedConnectionAndAnEmptyClusterSayWhy() throws {
        let holder = try TestPort.free()
        let serving = try serve(origins: [holder], #"{"f":"%RESPONSE_FLAGS%","d":"%RESPONSE_CODE_DETAILS%"}"#)
        var client = try TestClient(port: serving.port)
        #expect(try client.request("GET", "/", host: "example.com").status == 503)
        try serving.directory.replace(
            "all.yaml",
            [
                Documents.gateway(),
                Documents.virtualService("routes", hosts: ["example.com"], to: Self.host),
                Documents.serviceEntry("origin", endpoints: []),
            ].asFile)
        try eventually("the cluster is empty") {
            try client.request("GET", "/", host: "example.com").text == "no healthy upstream"
        }
        let lines = try serving.end().map { try object($0) }
        #expect(lines.first?["f"] as? String == "URX,UF")
        let details =
            "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"
        #expect(lines.first?["d"] as? String == details)
        #expect(lines.last?["f"] as? String == "UH" && lines.last?["d"] as? String == "no_healthy_upstream")
    }

    @Test func answersAreCapturedWhereTheFormatNamesThem() throws {
        let origin = try OriginServer(name: "v1")
        defer { origin.stop() }
        let serving = try serve(
            origins: [origin.port], "%RESP(X-BACKEND)% %RESP(Server)% %RESP(content-type?x-none)% %ROUTE_NAME%")
        var client = try TestClient(port: serving.port)
        for _ in 0..<3 {
            _ = try client.request("GET", "/", host: "example.com")
            _ = try client.request("GET", "/", host: "other.example.com")
        }
        let lines = try serving.end()
        #expect(lines.filter { $0.hasPrefix("v1 weir ") && $0.hasSuffix(" plain") }.count == 3, "\(lines)")
        #expect(lines.filter { $0 == "- weir - -" }.count == 3, "\(lines)")
    }

    @Test func hangUpOpensTheFileAgain() throws {
        let origin = try OriginServer(name: "v1")
        defer { origin.stop() }
        let serving = try serve(origins: [origin.port], "%REQ(:PATH)%")
        var client = try TestClient(port: serving.port)
        _ = try client.request("GET", "/before", host: "example.com")
        try eventually("the line is written") { serving.log == "/before\n" }
        try serving.directory.rename("access.log", to: "access.log.1")
        serving.process.signal(SIGHUP)
        try eventually("the file is there again") { FileManager.default.fileExists(atPath: serving.path) }
        _ = try client.request("GET", "/after", host: "example.com")
        #expect(try serving.end() == ["/after"])
        #expect(try String(contentsOfFile: serving.directory.path("access.log.1"), encoding: .utf8) == "/before\n")
    }

    @Test func standardOutputTakesLinesToo() throws {
        let origin = try OriginServer(name: "v1")
        defer { origin.stop() }
        let serving = try serve(origins: [origin.port], "line %RESPONSE_CODE%", target: "-")
        var client = try TestClient(port: serving.port)
        _ = try client.request("GET", "/", host: "example.com")
        _ = try serving.end()
        #expect(serving.process.output.hasSuffix("\nline 200\n"), "\(serving.process.output)")
    }

    @Test func whatCannotBeOpenedOrReadEndsTheStart() throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", Documents.gateway())
        func run(_ arguments: String...) throws -> (status: Int32, errors: String) {
            let process = try ChildProcess(
                ChildProcess.built("weir"),
                ["serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off"] + arguments)
            return (try process.end(seconds: 60), process.errors)
        }
        let missing = try run("--access-log", directory.path("none/log"))
        #expect(missing.status == 1 && missing.errors.contains("\(directory.path("none/log")): No such file"))
        let wrong = try run("--access-log", "-", "--access-log-format", "%NOPE%")
        #expect(
            wrong.status == 64 && wrong.errors.contains("%NOPE% is no known operator. Known are"), "\(wrong.errors)")
    }
}

import Foundation
import Testing
import WeirTestSupport

@testable import WeirServer

/// The process as supervisors and operators see it: exit status, signals, printed lines.
@Suite struct ProcessTests {
    private static let gateway = """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: gw}
        spec:
          servers:
          - port: {number: PORT, name: http, protocol: HTTP}
            hosts: ["*"]

        """

    /// A server of a directory with one Gateway.
    private struct Served {
        let process: WeirProcess
        let directory: TemporaryDirectory
        /// Of the Gateway.
        let port: Int
        let admin: Int
    }

    private func serve(_ more: [String] = []) throws -> Served {
        let directory = try TemporaryDirectory()
        // Another process may take the port between finding and listening.
        for _ in 0..<10 {
            let port = try TestPort.free()
            try directory.write("a.yaml", Self.gateway.replacingOccurrences(of: "PORT", with: "\(port)"))
            let process = try WeirProcess(
                [
                    "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics",
                    "off", "--workers", "2",
                ]
                    + more)
            let admin = try process.adminPort()
            try eventually("weir is ready", seconds: 30) {
                process.admin("/ready", port: admin) == 200 || !process.isRunning
            }
            if process.isRunning {
                return Served(process: process, directory: directory, port: port, admin: admin)
            }
        }
        throw TestSocketError(description: "weir did not start")
    }

    @Test func aTermEndsAnIdleServerAtOnce() throws {
        let server = try serve()
        _ = try TestSocket(port: server.port)
        server.process.signal(SIGTERM)
        #expect(try server.process.status() == 0)
        #expect(server.process.log.contains("reason=SIGTERM"))
    }

    @Test func duringTheDelayItAcceptsButIsNotReady() throws {
        let server = try serve(["--drain-delay", "600"])
        server.process.signal(SIGTERM)
        try eventually("readiness fails") { server.process.admin("/ready", port: server.admin) == 503 }
        var client = try TestClient(port: server.port)
        #expect(try client.request("GET", "/").status == 404)
        // The second one does not wait for the rest of the delay.
        server.process.signal(SIGINT)
        #expect(try server.process.status() == 0)
    }

    @Test func aHangupReadsEverythingAgain() throws {
        let server = try serve(["--log-level", "debug"])
        server.process.signal(SIGHUP)
        try eventually("the log tells of it") { server.process.log.contains("reason=SIGHUP") }
        #expect(server.process.log.contains("changed=false"))
        #expect(server.process.admin("/ready", port: server.admin) == 200)
        server.process.signal(SIGINT)
        #expect(try server.process.status() == 0)
    }

    @Test func aPathThatDoesNotExistIsNamed() throws {
        let process = try WeirProcess([
            "serve", "--config", "/nowhere/at/all", "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off",
        ])
        #expect(try process.status() == 78)
        #expect(process.log.contains("/nowhere/at/all"))
    }

    @Test(arguments: [
        "kind: [", "kind: VirtualService\n", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n",
    ])
    func documentsOfNoUseAreAnUnusableConfiguration(text: String) throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", text)
        let process = try WeirProcess([
            "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off",
        ])
        #expect(try process.status() == 78)
        #expect(process.log.contains(directory.path("a.yaml") + ":"))
    }

    @Test func anEmptyDirectoryIsReady() throws {
        let directory = try TemporaryDirectory()
        let process = try WeirProcess([
            "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off",
        ])
        let admin = try process.adminPort()
        try eventually("weir is ready") { process.admin("/ready", port: admin) == 200 }
        process.signal(SIGTERM)
        #expect(try process.status() == 0)
    }

    @Test func aBusyPortIsNamed() throws {
        let holder = try PortHolder()
        let directory = try TemporaryDirectory()
        let admin = try WeirProcess([
            "serve", "--config", directory.path, "--admin", "127.0.0.1:\(holder.port)", "--health", "off", "--metrics",
            "off",
        ])
        #expect(try admin.status() == 1)
        #expect(admin.log.contains("127.0.0.1:\(holder.port)"))
        let metrics = try WeirProcess([
            "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics",
            "127.0.0.1:\(holder.port)",
        ])
        #expect(try metrics.status() == 1)
        #expect(metrics.log.contains("127.0.0.1:\(holder.port)"))
        try directory.write("a.yaml", Self.gateway.replacingOccurrences(of: "PORT", with: "\(holder.port)"))
        let gateway = try WeirProcess([
            "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off",
        ])
        #expect(try gateway.status() == 1)
        #expect(gateway.log.contains("Port \(holder.port) cannot be listened on"))
    }

    @Test func healthcheckTellsReadyFromNot() throws {
        let health = try TestPort.free()
        let server = try serve(["--health", "127.0.0.1:\(health)"])
        #expect(try WeirProcess(["healthcheck", "--health", "127.0.0.1:\(health)"]).status() == 0)
        server.process.signal(SIGTERM)
        #expect(try server.process.status() == 0)
        let after = try WeirProcess(["healthcheck", "--health", "127.0.0.1:\(health)"])
        #expect(try after.status() == 1)
        #expect(after.output.contains("not ready"))
    }

    @Test func aServerThatDoesNotAnswerIsNotReady() throws {
        let holder = try PortHolder()
        let outcome = HealthProbe.ask(HostPort(host: "127.0.0.1", port: holder.port), limitSeconds: 0.05)
        #expect(!outcome.isReady)
        #expect(outcome.text.contains("no answer in time"))
    }

    @Test func theAnalysisTellsByItsExitStatus() throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", Self.gateway.replacingOccurrences(of: "PORT", with: "80"))
        let good = try WeirProcess(["analyze", directory.path])
        #expect(try good.status() == 0)
        #expect(good.log.contains("No problems found"))
        try directory.write("a.yaml", Self.gateway.replacingOccurrences(of: "PORT", with: "0"))
        let bad = try WeirProcess(["analyze", directory.path])
        #expect(try bad.status() == 79)
        #expect(bad.output.hasPrefix("Error [IST0106] (Gateway default/gw \(directory.path("a.yaml")):6) "))
        #expect(try WeirProcess(["analyze", "/nowhere/at/all"]).status() == 1)
        #expect(try WeirProcess(["analyze"]).status() == 64)
        let list = try WeirProcess(["analyze", "-L"])
        #expect(try list.status() == 0)
        #expect(list.output.contains("* gateway.Credentials\n"))
    }

    @Test func commandsShowARunningProcess() throws {
        let server = try serve()
        let admin = ["--admin", "127.0.0.1:\(server.admin)"]
        let listeners = try WeirProcess(["listeners"] + admin)
        #expect(try listeners.status() == 0)
        #expect(listeners.output.contains("Route: http.\(server.port)"))
        let log = try WeirProcess(["log", "--level", "config=debug", "-o", "json"] + admin)
        #expect(try log.status() == 0)
        #expect(log.output.contains("\"config\" : \"debug\""))
        server.process.signal(SIGTERM)
        #expect(try server.process.status() == 0)
        let after = try WeirProcess(["routes"] + admin)
        #expect(try after.status() == 1)
        #expect(after.log.contains("No running Weir answers at 127.0.0.1:\(server.admin)"))
    }

    @Test func usageErrorsAndVersions() throws {
        #expect(try WeirProcess(["serve"]).status() == 64)
        #expect(try WeirProcess(["serve", "--config", "/", "--metrics", "nowhere"]).status() == 64)
        let version = try WeirProcess(["version"])
        #expect(try version.status() == 0)
        #expect(version.output == "weir \(weirVersion)\n")
    }

    @Test func theDemoShowsTheSplitAndEnds() throws {
        let demo = try WeirProcess(["demo", "--once", "--port", "\(try TestPort.free())"])
        #expect(try demo.status() == 0, "\(demo.output)\n\(demo.log)")
        #expect(demo.output.contains("1000 requests in"))
        #expect(demo.output.contains(", 0 failed"))
        let directory = try #require(
            demo.output.split(separator: "\n").first { $0.contains("This configuration is in") })
        let path = directory.split(separator: " ")[4].dropLast()
        #expect(!FileManager.default.fileExists(atPath: String(path)))
    }
}

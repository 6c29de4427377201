import Testing
import WeirEngine
import WeirServer
import WeirSources
import WeirTestSupport

/// Endpoints that are names, looked up at a name server of the test's own.
@Suite struct NameTests {
    private func entry(_ name: String, resolution: String = "DNS", port: Int, endpoints: [String]) -> String {
        let list = endpoints.map { "  - {address: \($0)}\n" }
        return """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: \(name)}
            spec:
              hosts: [\(name).test]
              resolution: \(resolution)
              ports: [{number: 80, targetPort: \(port), name: http, protocol: HTTP}]

            """ + (list.isEmpty ? "" : "  endpoints:\n" + list.joined())
    }

    private func route(_ prefix: String, to host: String) -> String {
        "- match: [{uri: {prefix: \(prefix)}}]\n  route: [{destination: {host: \(host)}}]"
    }

    private func live(
        _ names: NameServer, _ documents: [String], timeoutMilliseconds: Int = 200
    ) throws -> RunningServer {
        try RunningServer.live(documents) { options in
            options.names.servers = names.address
            options.names.resolvConf = "/dev/null"
            options.names.families = [.ipv4]
            options.names.timeoutMilliseconds = timeoutMilliseconds
            options.names.attempts = 1
            options.names.pace = 0.05
        }
    }

    @Test func theFirstRequestFindsTheEndpointsAndLaterAnswersMoveThem() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let names = try NameServer(["a.test": .addresses(["127.0.4.1", "127.0.4.2"], ttl: 1)])
        let server = try live(
            names,
            [
                Documents.gateway(), entry("a", port: origin.port, endpoints: []),
                Documents.virtualService(http: route("/", to: "a.test")),
            ])
        #expect(try Set(server.tally(40).keys) == ["127.0.4.1", "127.0.4.2"])
        let generation = server.generation
        names.say(.addresses(["127.0.4.3"], ttl: 1), of: "a.test")
        try eventually("the new address serves") { try server.tally(5) == ["127.0.4.3": 5] }
        #expect(try server.status().generation == generation)
        // A server that fails takes nothing away, one that knows better does.
        names.say(.code(2), of: "a.test")
        try eventually("the failure is reported") {
            try server.status().problems.contains { $0.code == "WEIR0010" && $0.message.contains("used on") }
        }
        #expect(try server.tally(5) == ["127.0.4.3": 5])
        names.say(.code(3), of: "a.test")
        try eventually("the address is gone") { try server.tally(1) == ["503": 1] }
        try eventually("it is reported") {
            try server.status().problems.contains { $0.message.contains("NXDOMAIN") && $0.path == "spec.hosts" }
        }
        names.say(.addresses(["127.0.4.1"], ttl: 1), of: "a.test")
        try eventually("it is back") { try server.tally(5) == ["127.0.4.1": 5] }
        try eventually("nothing is reported") { try server.status().problems.isEmpty }
    }

    @Test func aNameThatIsNotFoundFailsItsShareAlone() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let names = try NameServer(["a.test": .addresses(["127.0.4.5"]), "silent.test": .silence])
        let server = try live(
            names,
            [
                Documents.gateway(), entry("a", port: origin.port, endpoints: []),
                entry("gone", port: origin.port, endpoints: ["nowhere.test", "127.0.4.6"]),
                entry("silent", port: origin.port, endpoints: []),
                Documents.virtualService(
                    http: [
                        route("/gone", to: "gone.test"), route("/silent", to: "silent.test"),
                        route("/", to: "a.test"),
                    ].joined(separator: "\n")),
            ])
        #expect(try server.tally(10) == ["127.0.4.5": 10])
        #expect(try server.tally(10, "/gone") == ["127.0.4.6": 10])
        #expect(try server.tally(2, "/silent") == ["503": 2])
        let metrics = try server.metrics()
        #expect(metrics.sum("weir_dns_names", ["state": "resolved"]) == 1)
        #expect(metrics.sum("weir_dns_names", ["state": "unresolved"]) == 2)
        #expect(metrics.sum("weir_dns_lookups_total", ["result": "failure"]) > 0)
        #expect(metrics.sum("weir_dns_last_answer_timestamp_seconds") > 0)
    }

    @Test func aSilentNameServerHoldsAConfigurationUpOnceAndNotForLong() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let names = try NameServer(["silent.test": .silence, "a.test": .addresses(["127.0.4.10"])])
        func documents(_ prefix: String) -> [String] {
            [
                Documents.gateway(), entry("silent", port: origin.port, endpoints: []),
                entry("a", port: origin.port, endpoints: []),
                Documents.virtualService(
                    http: route("/silent", to: "silent.test") + "\n" + route(prefix, to: "a.test")),
            ]
        }
        // Its patience alone would outlast the test's.
        let server = try live(names, documents("/one"), timeoutMilliseconds: 600_000)
        #expect(try server.tally(1, "/one") == ["127.0.4.10": 1])
        #expect(try server.tally(1, "/silent") == ["503": 1])
        try server.reload { try server.directory.replace("all.yaml", documents("/two").asFile) }
        #expect(try server.tally(1, "/two") == ["127.0.4.10": 1])
    }

    @Test func aReloadWaitsForANewNameWhileTheOldConfigurationServes() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let names = try NameServer(["a.test": .addresses(["127.0.4.7"]), "b.test": .addresses(["127.0.4.8"])])
        func documents(_ host: String) -> [String] {
            [
                Documents.gateway(), entry("a", port: origin.port, endpoints: []),
                entry("b", resolution: "DNS_ROUND_ROBIN", port: origin.port, endpoints: []),
                Documents.virtualService(http: route("/", to: host)),
            ]
        }
        let server = try live(names, documents("a.test"))
        #expect(try server.tally(3) == ["127.0.4.7": 3])
        try server.directory.replace("all.yaml", documents("b.test").asFile)
        try eventually("the new name serves") {
            let found = try server.tally(1)
            // Never nothing.
            #expect(found == ["127.0.4.7": 1] || found == ["127.0.4.8": 1])
            return found == ["127.0.4.8": 1]
        }
    }

    @Test func aServiceWithoutSlicesIsFoundByItsClusterName() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let names = try NameServer(["web.shop.svc.cluster.local": .addresses(["127.0.4.9"])])
        let server = try live(
            names,
            [
                Documents.gateway(),
                """
                apiVersion: v1
                kind: Service
                metadata: {name: web, namespace: shop}
                spec: {ports: [{name: http, port: \(origin.port)}]}

                """,
                Documents.virtualService(http: route("/", to: "web.shop.svc.cluster.local")),
            ])
        #expect(try server.tally(3) == ["127.0.4.9": 3])
    }
}

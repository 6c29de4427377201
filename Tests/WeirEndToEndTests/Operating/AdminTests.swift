import Testing
import WeirTestSupport

/// The admin server parses as promised and tells the truth.
@Suite struct AdminTests {
    private let backends: Backends
    private let server: RunningServer

    init() throws {
        backends = try Backends(2)
        server = try RunningServer.live([
            Documents.gateway(hosts: ["*.example.com"]),
            Documents.virtualService(
                "split", hosts: ["www.example.com"],
                http: """
                    - name: halves
                      match: [{uri: {prefix: /reviews}}]
                      route:
                      - {destination: {host: shop, subset: v1}, weight: 60}
                      - {destination: {host: shop, subset: v9}, weight: 40}
                    """), Documents.destinationRule("shop", versions: ["v1"], balancer: "ROUND_ROBIN"),
            Documents.serviceEntry("shop", ports: backends.ports),
        ])
    }

    @Test func readyIsPlain() throws {
        let answer = try server.admin("/ready")
        #expect(answer.status == 200 && answer.text == "ready\n")
    }

    @Test func statusCountsWhatIsInForce() throws {
        let status = try server.status()
        #expect(status.generation == 1 && status.ready && !status.draining && status.workers == 2)
        #expect(
            status.resources == ["Gateway": 1, "VirtualService": 1, "DestinationRule": 1, "ServiceEntry": 1])
        let listener = try #require(status.listeners.first)
        #expect(status.listeners.count == 1 && listener.port == 80 && listener.listening)
        #expect(listener.localPort == (try server.port()))
        let file = try #require(status.files.first)
        #expect(status.files.count == 1 && file.path == server.directory.path("all.yaml"))
        #expect(file.documents == 4 && file.resources == 4 && file.kept == 0)
        #expect(status.problems.map(\.code) == ["IST0101"], "the subset that is missing")
    }

    @Test func everyReloadIsOneGeneration() throws {
        for number in 1...5 {
            #expect(try server.status().generation == UInt64(number))
            #expect(try server.configDump().generation == UInt64(number))
            try server.reload {
                try server.directory.replace(
                    "more.yaml", Documents.virtualService("more-\(number)", hosts: ["*.example.com"], to: "shop"))
            }
        }
        try server.reload { try server.directory.remove("more.yaml") }
        let status = try server.status()
        #expect(status.generation == 7 && status.resources["VirtualService"] == 1)
    }

    @Test func configDumpShowsWhatIsRouted() throws {
        let dump = try server.configDump()
        let host = try #require(dump.listeners.first?.hosts.first)
        #expect(dump.listeners.map(\.port) == [80] && host.host == "www.example.com")
        let route = try #require(host.routes.first)
        #expect(route.name == "halves" && route.resource == "VirtualService default/split")
        #expect(route.file == server.directory.path("all.yaml") && route.line > 1 && route.match.count == 1)
        #expect(route.destinations.map(\.weight) == [60, 40])
        #expect(route.destinations.map(\.missing) == [nil, true])
        let cluster = try #require(dump.clusters.first { $0.name == route.destinations[0].cluster })
        #expect(cluster.name == "outbound|80|v1|shop.default.svc.cluster.local")
        #expect(cluster.balancer == "ROUND_ROBIN")
        #expect(cluster.endpoints.map(\.address) == ["127.0.0.1:\(backends.ports[0])"])
    }

    @Test func aDumpOfManyHostsIsComplete() throws {
        let services = (0..<500).map {
            Documents.virtualService("host-\($0)", hosts: ["h\($0).example.com"], to: "shop")
        }
        try server.reload { try server.directory.replace("many.yaml", services.asFile) }
        let dump = try server.configDump()
        #expect(Set(dump.listeners[0].hosts.map(\.host)).count == 501)
        #expect(try server.status().resources["VirtualService"] == 501)
        #expect(try server.get(host: "h499.example.com")["x-backend"] != nil)
    }

    @Test func unknownPathsAndMethodsAreRefused() throws {
        #expect(try server.admin("/nothing").status == 404)
        let listed = try server.admin("/")
        #expect(listed.status == 200 && ["/ready", "/status", "/config_dump"].allSatisfy(listed.text.contains))
        var client = try server.adminClient()
        #expect(try client.request("POST", "/status").status == 405)
        let head = try client.request("HEAD", "/status")
        #expect(head.status == 200 && head.body.isEmpty)
        #expect(try client.request("GET", "/ready").status == 200, "the connection goes on")
    }
}

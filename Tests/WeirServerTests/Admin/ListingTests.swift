import Foundation
import Testing
import WeirCompiler
import WeirConfig
import WeirSources

@testable import WeirEngine
@testable import WeirServer

/// `/routes`, `/clusters` and `/listeners` as the admin API answers, and the tables made of them; no sockets.
@Suite struct ListingTests {
    private static let yaml = """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: gw}
        spec:
          servers:
          - port: {number: 80, name: http, protocol: HTTP}
            hosts: ["*"]
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: a-first}
        spec:
          hosts: [shop.example.com]
          gateways: [gw]
          http:
          - name: api
            match: [{uri: {prefix: /api}}]
            route:
            - {destination: {host: shop, subset: v1}, weight: 90}
            - {destination: {host: shop, subset: v9}, weight: 10}
          - match: [{method: {exact: POST}, headers: {x-user: {prefix: ja}}, withoutHeaders: {x-bot: {}}}]
            route: [{destination: {host: shop}}]
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: b-second}
        spec:
          hosts: [shop.example.com, "*.example.org"]
          gateways: [gw]
          http:
          - match: [{uri: {exact: /api/v2}, queryParams: {k: {regex: "a+"}}}]
            route: [{destination: {host: shop}}]
          - route: [{destination: {host: shop}}]
        ---
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: shop}
        spec:
          host: shop
          subsets: [{name: v1, labels: {version: v1}}]
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: shop}
        spec:
          hosts: [shop.default.svc.cluster.local]
          resolution: STATIC
          ports: [{number: 8000, name: http, protocol: HTTP}]
          endpoints: [{address: 127.0.0.1, labels: {version: v1}}, {address: 127.0.0.2}]
        """

    /// What `--mesh-listen` adds: a service of two ports that one VirtualService speaks of, and a delegate.
    private static let mesh = """

        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: two}
        spec:
          hosts: [two]
          http:
          - match: [{uri: {prefix: /team}}]
            delegate: {name: team}
          - route: [{destination: {host: two}}]
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: team}
        spec:
          http:
          - match: [{uri: {prefix: /team/a}}]
            route: [{destination: {host: shop}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: two}
        spec: {ports: [{name: http, port: 80}, {name: http-b, port: 8080}], selector: {app: two}}
        """

    private let status = ServerStatus(workers: 1)
    private let server: ListingServer

    init() { self.init(Self.yaml) { _ in } }

    private init(_ yaml: String, _ configure: (inout CompilerOptions) -> Void) {
        let resources = DocumentSplitter.split(Array(yaml.utf8)).flatMap {
            DocumentDecoder().decode($0, file: "a.yaml").resources
        }
        var options = CompilerOptions(workers: 1)
        configure(&options)
        let snapshot = Compiler(options: options).compile(ResourceSet(resources)).snapshot
        var configuration = ServerStatus.Configuration()
        configuration.listeners = [
            ServerStatus.Listener(port: 80, localPort: 8080, bind: nil, listening: true),
            ServerStatus.Listener(port: 81, localPort: 81, bind: "::1", listening: false, problem: "in use"),
        ]
        if let mesh = options.meshListen {
            configuration.listeners.append(
                ServerStatus.Listener(
                    port: mesh.port, localPort: mesh.port, bind: mesh.host, listening: true, mesh: true))
        }
        status.published(configuration, snapshot: snapshot)
        server = ListingServer(
            engine: Engine(options: EngineOptions()), status: status, servers: LocalServers(name: "test"))
    }

    private func answer(_ path: String, _ query: String = "") throws -> LocalAnswerText {
        let answer = try #require(server.answer(path))
        return LocalAnswerText(answer(LocalRequest(method: "GET", path: path, query: query, headers: [])))
    }

    private func rows<Row: Codable>(_ path: String, _ query: String = "") throws -> [Row] {
        let text = try answer(path, query).text
        return try JSONDecoder().decode(ListingDocument<Row>.self, from: Data(text.utf8)).rows
    }

    @Test func routesComeInTheOrderTheyAreTried() throws {
        let rows: [RouteRow] = try rows("/routes")
        #expect(
            rows.map(\.virtualHost) == ["*.example.org:80", "*.example.org:80"]
                + Array(repeating: "shop.example.com:80", count: 4))
        let shop = rows.filter { $0.domains == ["shop.example.com"] }
        #expect(shop.map(\.order) == [1, 2, 3, 4])
        #expect(
            shop.map(\.match) == ["/api*", "/*, POST, x-user: ja*, not x-bot", "/api/v2, ?k=regex a+", "/*"])
        #expect(
            shop.map(\.resource).map { $0.split(separator: "/")[1] } == ["a-first", "a-first", "b-second", "b-second"])
        #expect(shop.map(\.file).allSatisfy { $0 == "a.yaml" })
        #expect(shop[0].line == 17)
        #expect(shop[0].routeName == "api")
    }

    @Test func missingClustersAndSharesAreTold() throws {
        let rows: [RouteRow] = try rows("/routes", "host=shop.example.com")
        let first = rows[0].destinations
        #expect(first.map(\.weight) == [90, 10])
        #expect(first.map(\.cluster)[0] == "outbound|8000|v1|shop.default.svc.cluster.local")
        #expect(first.map(\.missing) == [nil, true])
        #expect(rows[1].destinations.map(\.weight) == [100])
    }

    @Test func aShadowedRouteNamesTheOneThatShadowsIt() throws {
        let rows: [RouteRow] = try rows("/routes", "shadowed=true")
        #expect(rows.count == 1)
        #expect(rows.first?.order == 3)
        #expect(
            rows.first?.shadowedBy
                == RouteRow.Place(order: 1, resource: "VirtualService default/a-first", file: "a.yaml", line: 17))
        let lines = ListingTables.routes(rows).lines
        #expect(lines[1].hasSuffix("SHADOWED by a.yaml:17 (a-first.default)"))
    }

    @Test func clustersAreSortedAndNarrowed() throws {
        let rows: [ClusterRow] = try rows("/clusters")
        #expect(rows.map(\.subset) == [nil, "v1"])
        #expect(rows.map(\.endpoints) == [2, 1])
        #expect(rows.allSatisfy { $0.direction == "outbound" && $0.port == 8000 })
        func count(_ query: String) throws -> Int { (try self.rows("/clusters", query) as [ClusterRow]).count }
        #expect(try count("subset=v1&fqdn=shop.default&port=8000&direction=OUTBOUND") == 1)
        #expect(try count("port=80") == 0)
        #expect(try count("subset=") == 1)
    }

    @Test func listenersThatFailedAreListedToo() throws {
        let rows: [ListenerRow] = try rows("/listeners")
        #expect(rows.map(\.port) == [80, 81])
        #expect(rows[0].destination == "Route: http.80")
        #expect(rows[0].virtualHosts == 2)
        #expect(rows[1].problem == "in use")
        let lines = ListingTables.listeners(rows).lines
        #expect(lines[1] == "*            80  ALL    Route: http.80        8080       2  listening")
        #expect(lines[2].hasSuffix("FAILED: in use"))
    }

    private static func meshTests() -> ListingTests {
        // The port is the Gateway's too: which listener is meant is not told by it.
        ListingTests(yaml + mesh) { $0.meshListen = MeshAddress(host: "127.0.0.1", port: 80) }
    }

    @Test func servicesByNameAreListedOnceAPort() throws {
        let rows: [RouteRow] = try Self.meshTests().rows("/routes", "name=mesh.80")
        #expect(
            rows.map(\.virtualHost) == [
                "shop.default.svc.cluster.local:*", "two.default.svc.cluster.local:80",
                "two.default.svc.cluster.local:80", "two.default.svc.cluster.local:8080",
                "two.default.svc.cluster.local:8080",
            ])
        #expect(rows[1].domains.contains("two") && rows[1].domains.contains("two.default:80"))
        #expect(rows[3].domains.contains("two:8080") && !rows[3].domains.contains("two"))
        let table = ListingTables.routes(rows).lines
        #expect(table[2].contains("  two.default.svc.cluster.local, two.default.svc + 3 more "))
    }

    @Test func aServiceNobodySpeaksOfHasNoPlace() throws {
        let rows: [RouteRow] = try Self.meshTests().rows("/routes", "host=shop")
        #expect(rows.map(\.file) == [""])
        #expect(rows.first?.destinations.map(\.cluster) == ["outbound|8000||shop.default.svc.cluster.local"])
        #expect(ListingTables.routes(rows).lines[1].hasSuffix("100%  -"))
    }

    @Test func aDelegatesRouteNamesTheOneThatDelegates() throws {
        let rows: [RouteRow] = try Self.meshTests().rows("/routes", "host=two")
        #expect(rows.map(\.resource) == ["VirtualService default/team", "VirtualService default/two"])
        #expect(rows.map(\.root) == ["VirtualService default/two", nil])
        #expect(ListingTables.routes(rows).lines[1].contains("  team.default via two.default  "))
    }

    @Test func aListenerOfTheMeshIsNoGateways() throws {
        let rows: [ListenerRow] = try Self.meshTests().rows("/listeners", "port=80")
        #expect(rows.map(\.destination) == ["Route: http.80", "Route: mesh.80"])
        #expect(rows.map(\.virtualHosts) == [2, 3])
    }

    @Test func clustersTellWhereTheyComeFrom() throws {
        let rows: [ClusterRow] = try Self.meshTests().rows("/clusters", "subset=")
        #expect(rows.map(\.fqdn).map { $0.prefix { $0 != "." } } == ["shop", "two", "two"])
        #expect(rows.map(\.type) == ["EDS", "STRICT_DNS", "STRICT_DNS"])
        #expect(rows.map(\.destinationRule) == ["shop.default", nil, nil])
    }

    @Test func whatRequestsAreHashedByIsTold() throws {
        let hash = "trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: X-User}}}\n  subsets:"
        let tests = ListingTests(Self.yaml.replacing("subsets:", with: hash)) { _ in }
        let rows: [RouteRow] = try tests.rows("/routes", "host=shop.example.com")
        #expect(rows.first?.policies == ["hash by header x-user"])
        #expect(ListingTables.routes(rows).lines[1].hasSuffix("  hash by header x-user"))
        let clusters: [ClusterRow] = try tests.rows("/clusters")
        #expect(clusters.map(\.balancer) == ["RING_HASH", "RING_HASH"])
    }

    @Test(arguments: [
        ("timeout: 3s", ["timeout 3s"]), ("timeout: 250ms", ["timeout 250ms"]),
        ("retries: {attempts: 0}", ["no retries"]),
        ("retries: {attempts: 5}", ["5 retries"]), ("retries: {}", ["no retries"]),
        ("retries: {attempts: 1, retryOn: \"5xx,reset\"}", ["1 retry on 5xx,reset"]),
        ("retries: {attempts: 2, perTryTimeout: 1500ms}", ["2 retries, each try 1500ms"]),
        (
            "timeout: 1s, retries: {attempts: 3, retryOn: \"connect-failure,503\"}",
            ["timeout 1s", "3 retries on connect-failure,503"]
        ),
    ])
    func timesAndRetriesAreToldWhereTheyAreTheRoutesOwn(fields: String, texts: [String]) throws {
        let yaml = Self.yaml.replacing(
            "  - name: api\n",
            with: "  - {\(fields), route: [{destination: {host: shop}}], match: [{uri: {prefix: /t}}]}\n  - name: api\n"
        )
        let rows: [RouteRow] = try ListingTests(yaml) { _ in }.rows("/routes", "host=shop.example.com")
        #expect((rows.first?.policies ?? []) == texts)
        #expect(rows.dropFirst().allSatisfy { $0.policies == nil })
    }

    @Test func whatRoutesDoIsTold() throws {
        let routes = """
              - match: [{uri: {prefix: /old}}]
                redirect: {uri: /new, redirectCode: 302}
              - match: [{uri: {exact: /ping}}]
                directResponse: {status: 200, body: {string: pong}}
              - match: [{uri: {exact: /x}}]
                rewrite: {uri: /y}
                headers: {request: {set: {x-a: b}}}
                route:
                - {destination: {host: shop}, weight: 1}
                - {destination: {host: shop}, weight: 1, headers: {response: {remove: [x-z]}}}
              - name: api

            """
        let tests = ListingTests(Self.yaml.replacing("  - name: api\n", with: routes)) { _ in }
        let rows: [RouteRow] = try tests.rows("/routes", "host=shop.example.com")
        #expect(rows[0].policies == ["redirect 302, path \"/new\""])
        #expect(rows[1].policies == ["answer 200 with 4 bytes"])
        #expect(rows[2].policies == ["rewrite path to \"/y\"", "request headers: set x-a \"b\""])
        #expect(rows[2].destinations.map(\.policies) == [nil, ["response headers: remove x-z"]])
        let lines = ListingTables.routes(rows).lines
        #expect(lines[1].contains("  redirect 302, path \"/new\"  ") && lines[1].hasSuffix("a.yaml:16"))
        #expect(lines[2].contains("  answer 200 with 4 bytes  "))
        #expect(lines[3].hasSuffix("  rewrite path to \"/y\"; request headers: set x-a \"b\""))
        #expect(lines[4].hasSuffix("  response headers: remove x-z"))
    }

    @Test func filtersNobodyKnowsAreRefusedWithTheList() throws {
        let answer = try answer("/clusters", "name=x")
        #expect(answer.status == 400)
        #expect(answer.text.contains("fqdn, port, subset, direction"))
        #expect(try self.answer("/listeners", "port=http").status == 400)
        #expect(try self.answer("/routes", "host=%").status == 400)
    }

    @Test func listingsAtOneTimeAreBounded() throws {
        let request = LocalRequest(method: "GET", path: "/routes", query: "", headers: [])
        let answer = try #require(server.answer("/routes"))
        var held = (0..<ListingServer.concurrentListings).map { _ in answer(request) }
        #expect(held.allSatisfy { $0.status == 200 })
        #expect(answer(request).status == 503)
        // One whose connection has gone makes room.
        held.removeLast()
        #expect(answer(request).status == 200)
        withExtendedLifetime(held) {}
    }

    @Test func aListingNobodyTakesGivesWay() throws {
        let snapshot = try #require(status.snapshot)
        let listing = Listing(.routes, generation: 1, RouteCursor(snapshot, ListingFilter()))
        _ = listing.next()
        listing.giveWay(afterSeconds: ListingServer.stallSeconds)
        #expect(!listing.isOver)
        listing.giveWay(afterSeconds: -1)
        #expect(listing.isOver)
        guard case .cut = listing.next() else {
            Issue.record("the rest is sent although it was given up")
            return
        }
    }
}

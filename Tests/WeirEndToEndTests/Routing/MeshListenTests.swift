import Testing
import WeirServer
import WeirTestSupport

/// Templates as people write them, which name no gateway, served to callers by service name (`--mesh-listen`).
@Suite struct MeshListenTests {
    /// `gateways` is empty, or the line with a name.
    private static func templates(
        gateways: String = "", hosts: [String] = ["reviews", "my-service", "ratings"]
    ) -> [String] {
        [
            """
            apiVersion: networking.istio.io/v1alpha3
            kind: VirtualService
            metadata:
              name: reviews
            spec:
              \(gateways)
              hosts:
              - \(hosts[0])
              http:
              - match:
                - headers:
                    end-user:
                      exact: jason
                route:
                - destination:
                    host: reviews
                    subset: v2
              - route:
                - destination:
                    host: reviews
                    subset: v1
                  weight: 50
                - destination:
                    host: reviews
                    subset: v3
                  weight: 50

            """,
            """
            apiVersion: networking.istio.io/v1beta1
            kind: VirtualService
            metadata:
              name: my-service
            spec:
              \(gateways)
              hosts:
              - \(hosts[1])
              http:
              - match:
                - uri:
                    prefix: /beta
                route:
                - destination:
                    host: my-service
                    subset: v2
              - route:
                - destination:
                    host: my-service
                    subset: v1

            """,
            """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata:
              name: ratings
            spec:
              \(gateways)
              hosts:
              - \(hosts[2])
              http:
              - route:
                - destination:
                    host: ratings.default.svc.cluster.local
                    subset: v1

            """,
        ]
    }

    private static func services(_ backends: Backends) -> [String] {
        ["reviews", "my-service", "ratings"].flatMap {
            [
                Documents.serviceEntry($0, ports: backends.ports),
                Documents.destinationRule($0, versions: ["v1", "v2", "v3"]),
            ]
        } + [Documents.serviceEntry("plain", ports: [backends.ports[2]])]
    }

    private struct Mesh {
        let server: RunningServer
        let port: Int

        init(_ documents: [String]) throws {
            var port = 0
            server = try RunningServer.live(documents) { options in
                // A free port again at every attempt to start.
                port = (try? TestPort.free()) ?? 0
                options.binding.meshListen = HostPort(host: "127.0.0.1", port: port)
            }
            self.port = port
        }

        /// Who answers.
        func get(_ target: String = "/", host: String, headers: [(String, String)] = []) throws -> String {
            var client = try TestClient(port: port)
            let answer = try client.request("GET", target, host: host, headers: headers)
            return answer["x-backend"] ?? "\(answer.status)"
        }
    }

    @Test func templatesThatNameNoGatewayAreServedByServiceName() throws {
        let backends = try Backends(3)
        let mesh = try Mesh(Self.templates() + Self.services(backends))
        for name in ["reviews", "reviews.default", "reviews.default.svc", "reviews.default.svc.cluster.local"] {
            for host in [name, name + ":80", name + ":\(mesh.port)"] {
                #expect(try mesh.get(host: host, headers: [("end-user", "jason")]) == "v2")
            }
        }
        var seen: [String: Int] = [:]
        for _ in 0..<60 { seen[try mesh.get(host: "reviews"), default: 0] += 1 }
        #expect(Set(seen.keys) == ["v1", "v3"])
        #expect(try mesh.get("/beta/x", host: "my-service") == "v2")
        #expect(try mesh.get("/x", host: "my-service.default") == "v1")
        #expect(try mesh.get(host: "ratings") == "v1")
        // As a proxy is asked.
        #expect(try mesh.get("http://ratings/x", host: "ratings") == "v1")
        #expect(try mesh.get(host: "unknown") == "404")
        #expect(try mesh.server.status().problems.isEmpty)
    }

    @Test func aServiceWithoutVirtualServiceIsReachedByName() throws {
        let backends = try Backends(3)
        let mesh = try Mesh(Self.services(backends))
        for host in ["plain", "plain:80", "plain.default.svc.cluster.local"] {
            #expect(try mesh.get(host: host) == "v3")
        }
    }

    @Test func theSameTemplatesBoundToAGatewayAreServedThere() throws {
        let backends = try Backends(3)
        let hosts = ["reviews.example.com", "my-service.example.com", "ratings.example.com"]
        let documents =
            [Documents.gateway()] + Self.templates(gateways: "gateways: [entry]", hosts: hosts)
            + Self.services(backends)
        let server = try RunningServer.live(documents)
        func get(_ target: String = "/", _ host: String, _ headers: [(String, String)] = []) throws -> String? {
            try server.get(target, host: host, headers: headers)["x-backend"]
        }
        #expect(try get("/", hosts[0], [("end-user", "jason")]) == "v2")
        #expect(try get("/beta", hosts[1]) == "v2")
        #expect(try get("/", hosts[1]) == "v1")
        #expect(try get("/", hosts[2]) == "v1")
        #expect(try server.status().problems.isEmpty)
    }

    @Test func withoutTheListenerEachTemplateHasOneProblem() throws {
        let backends = try Backends(3)
        let server = try RunningServer.live([Documents.gateway()] + Self.templates() + Self.services(backends))
        let problems = try server.status().problems
        #expect(problems.map(\.code) == ["WEIR0008", "WEIR0008", "WEIR0008"])
        #expect(Set(problems.compactMap(\.resource)).count == 3)
        #expect(try server.get(host: "reviews").status == 404)
    }

    @Test func anEditIsLiveForCallersByName() throws {
        let backends = try Backends(3)
        let mesh = try Mesh(Self.templates() + Self.services(backends))
        try mesh.server.reload {
            let edited = Self.templates().map { $0.replacing("prefix: /beta", with: "prefix: /gamma") }
            try mesh.server.directory.write("all.yaml", (edited + Self.services(backends)).asFile)
        }
        #expect(try mesh.get("/beta", host: "my-service") == "v1")
        #expect(try mesh.get("/gamma", host: "my-service") == "v2")
    }

    @Test(arguments: [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "::"), ("::", "0.0.0.0")])
    func aPortOfAGatewayIsNoPortForIt(_ bind: String, _ mesh: String) throws {
        let directory = try TemporaryDirectory()
        try directory.write("all.yaml", [Documents.gateway()].asFile)
        let server = try RunningServer(starting: directory) {
            $0.bind = bind
            $0.binding.meshListen = HostPort(host: mesh, port: $0.portMap[80] ?? 0)
        }
        try eventually("the server ended", seconds: 30) { server.exit != nil }
        #expect(server.exit == .failure)
        #expect(server.log.text.contains("of --mesh-listen cannot be listened on: a Gateway is served there"))
    }

    @Test func aBusyPortEndsTheStartAndIsNamed() throws {
        let holder = try PortHolder()
        let directory = try TemporaryDirectory()
        let server = try RunningServer(starting: directory) {
            $0.binding.meshListen = HostPort(host: "127.0.0.1", port: holder.port)
        }
        try eventually("the server ended", seconds: 30) { server.exit != nil }
        #expect(server.exit == .failure)
        #expect(server.log.text.contains("Port \(holder.port) of --mesh-listen cannot be listened on"))
    }
}

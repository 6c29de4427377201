/// What Istio's own HTTP samples look like, written anew: their Gateways, rules and destinations, and what they promise.
struct SampleShape: Sendable, CustomStringConvertible {
    /// Where Istio keeps the like of it, below its `samples`.
    let file: String
    let text: String
    /// Files whose rules it needs besides its own.
    var with: [String] = []
    let services: [Service]
    let asks: [Ask]

    var description: String { file }

    /// A service of the application, with the versions of it that run.
    struct Service: Sendable {
        let host: String
        var namespace = "default"
        let port: Int
        var versions = ["v1"]
    }

    /// Where a request goes.
    enum Entry: Sendable {
        case gateway(Int)
        /// The listener for callers that have no sidecar, which ask by the name of a service.
        case mesh
    }

    /// A request, and who answers: origins by service and version, or nobody with a status.
    struct Ask: Sendable {
        var at: Entry = .gateway(80)
        var host = "example.com"
        let target: String
        var headers: [(String, String)] = []
        var answers: Set<String> = []
        var status = 200
    }
}

extension SampleShape {
    static let all = [bookinfo, httpbin, helloWorld, certManager, tornado] + reviews + ratings + [details, allV1]

    // MARK: Behind a Gateway

    private static func gateway(_ name: String, port: Int = 80) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: \(name)}
        spec:
          selector: {istio: ingressgateway}
          servers:
          - port: {number: \(port), name: http, protocol: HTTP}
            hosts: ["*"]
        ---

        """
    }

    private static func routes(_ name: String, gateway: String, _ rule: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: \(name)}
        spec:
          hosts: ["*"]
          gateways: [\(gateway)]
          http:
          - \(rule)
        """
    }

    private static let bookinfo = SampleShape(
        file: "bookinfo/networking/bookinfo-gateway.yaml",
        text: gateway("bookinfo-gateway", port: 8080)
            + routes(
                "bookinfo", gateway: "bookinfo-gateway",
                """
                match:
                    - uri: {exact: /productpage}
                    - uri: {prefix: /static}
                    - uri: {exact: /login}
                    - uri: {exact: /logout}
                    - uri: {prefix: /api/v1/products}
                    route:
                    - destination: {host: productpage, port: {number: 9080}}
                """),
        services: [Service(host: "productpage", port: 9080)],
        asks: ["/productpage", "/static/bootstrap.css", "/statically", "/login", "/logout", "/api/v1/products/0"].map {
            Ask(at: .gateway(8080), target: $0, answers: ["productpage-v1"])
        } + ["/", "/productpage/", "/login/x", "/api/v1"].map { Ask(at: .gateway(8080), target: $0, status: 404) })

    private static let httpbin = SampleShape(
        file: "httpbin/httpbin-gateway.yaml",
        text: gateway("httpbin-gateway")
            + routes(
                "httpbin", gateway: "httpbin-gateway", "route: [{destination: {host: httpbin, port: {number: 8000}}}]"),
        services: [Service(host: "httpbin", port: 8000)],
        asks: ["/", "/status/200", "/headers?show_env=1"].map { Ask(target: $0, answers: ["httpbin-v1"]) })

    private static let helloWorld = SampleShape(
        file: "helloworld/helloworld-gateway.yaml",
        text: gateway("helloworld-gateway")
            + routes(
                "helloworld", gateway: "helloworld-gateway",
                """
                match: [{uri: {exact: /hello}}]
                    route: [{destination: {host: helloworld, port: {number: 5000}}}]
                """),
        services: [Service(host: "helloworld", port: 5000, versions: ["v1", "v2"])],
        asks: [
            Ask(target: "/hello", answers: ["helloworld-v1", "helloworld-v2"]),
            Ask(target: "/hello?name=x", answers: ["helloworld-v1", "helloworld-v2"]),
            Ask(target: "/hello/", status: 404),
        ])

    private static let certManager = SampleShape(
        file: "bookinfo/networking/certmanager-gateway.yaml",
        text: (gateway("cert-manager-gateway")
            + routes(
                "cert-manager", gateway: "cert-manager-gateway",
                """
                match: [{uri: {prefix: /.well-known/acme-challenge/}}]
                    route: [{destination: {host: cert-manager-resolver, port: {number: 8089}}}]
                """))
            .replacing("{name: cert-manager", with: "{namespace: istio-system, name: cert-manager"),
        services: [Service(host: "cert-manager-resolver", namespace: "istio-system", port: 8089)],
        asks: [
            Ask(target: "/.well-known/acme-challenge/token", answers: ["cert-manager-resolver-v1"]),
            Ask(target: "/", status: 404),
        ])

    private static let tornado = SampleShape(
        file: "websockets/route.yaml",
        text: gateway("tornado-gateway")
            + routes(
                "tornado", gateway: "tornado-gateway",
                """
                match: [{uri: {prefix: /}}]
                    route: [{destination: {host: tornado}, weight: 100}]
                """),
        services: [Service(host: "tornado", port: 8888)],
        asks: [Ask(target: "/", answers: ["tornado-v1"]), Ask(target: "/ws", answers: ["tornado-v1"])])

    // MARK: By the name of a service

    private static let versions = [
        "productpage": ["v1"], "reviews": ["v1", "v2", "v3"], "ratings": ["v1"], "details": ["v1", "v2"],
    ]
    private static let application = versions.sorted { $0.key < $1.key }.map {
        Service(host: $0, port: 9080, versions: $1)
    }
    private static let networking = "bookinfo/networking/"

    /// One subset a version, as the application's rules have it; of the ratings they know more versions than run.
    static let rules = versions.sorted { $0.key < $1.key }.map { service, versions in
        Documents.destinationRule(
            service, versions: service == "ratings" ? versions + ["v2", "v2-mysql", "v2-mysql-vm"] : versions)
    }.asFile

    /// A VirtualService without a Gateway.
    private static func meshed(_ service: String, _ http: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: \(service)}
        spec:
          hosts: [\(service)]
          http:
          \(http)

        """
    }

    private static func shape(_ name: String, _ text: String, _ asks: [Ask]) -> SampleShape {
        SampleShape(
            file: networking + name + ".yaml", text: text, with: [networking + "destination-rule-all.yaml"],
            services: application,
            asks: asks)
    }

    /// Everybody who asks for a service is answered by these versions of it.
    private static func ask(_ service: String, _ versions: String..., headers: [(String, String)] = []) -> [Ask] {
        ["\(service)", "\(service):9080", "\(service).default.svc.cluster.local"].map { host in
            Ask(
                at: .mesh, host: host, target: "/\(service)/0", headers: headers,
                answers: Set(versions.map { "\(service)-\($0)" }))
        }
    }

    private static func split(_ weights: [(version: String, weight: Int)]) -> String {
        let lines = weights.map { "    - {destination: {host: reviews, subset: \($0.version)}, weight: \($0.weight)}" }
        return meshed("reviews", "- route:\n" + lines.joined(separator: "\n"))
    }

    /// A tester sees another version than the rest.
    private static func tester(_ tested: String, others: String) -> String {
        meshed(
            "reviews",
            """
            - match: [{headers: {end-user: {exact: jason}}}]
                route: [{destination: {host: reviews, subset: \(tested)}}]
              - route: [{destination: {host: reviews, subset: \(others)}}]
            """)
    }

    private static let jason = [("end-user", "jason")]

    private static let reviews = [
        shape(
            "virtual-service-reviews-v3", meshed("reviews", "- route: [{destination: {host: reviews, subset: v3}}]"),
            ask("reviews", "v3")),
        shape("virtual-service-reviews-50-v3", split([("v1", 50), ("v3", 50)]), ask("reviews", "v1", "v3")),
        shape("virtual-service-reviews-80-20", split([("v1", 80), ("v2", 20)]), ask("reviews", "v1", "v2")),
        shape("virtual-service-reviews-90-10", split([("v1", 90), ("v2", 10)]), ask("reviews", "v1", "v2")),
        shape("virtual-service-reviews-v2-v3", split([("v2", 50), ("v3", 50)]), ask("reviews", "v2", "v3")),
        shape(
            "virtual-service-reviews-test-v2", tester("v2", others: "v1"),
            ask("reviews", "v1") + ask("reviews", "v2", headers: jason)),
        shape(
            "virtual-service-reviews-jason-v2-v3", tester("v2", others: "v3"),
            ask("reviews", "v3") + ask("reviews", "v2", headers: jason)),
    ]

    private static let details = shape(
        "virtual-service-details-v2", meshed("details", "- route: [{destination: {host: details, subset: v2}}]"),
        ask("details", "v2"))

    /// Versions that do not run are asked for: known to the rules, but without an endpoint.
    private static let ratings = [("mysql", "v2-mysql"), ("mysql-vm", "v2-mysql-vm"), ("db", "v2")].map {
        name, version in
        shape(
            "virtual-service-ratings-\(name)",
            meshed("reviews", "- route: [{destination: {host: reviews, subset: v3}}]") + "---\n"
                + meshed("ratings", "- route: [{destination: {host: ratings, subset: \(version)}}]"),
            ask("reviews", "v3") + [Ask(at: .mesh, host: "ratings", target: "/ratings/0", status: 503)])
    }

    private static let allV1 = shape(
        "virtual-service-all-v1",
        versions.keys.sorted().map { meshed($0, "- route: [{destination: {host: \($0), subset: v1}}]") }.asFile,
        versions.keys.sorted().flatMap { ask($0, "v1") })
}

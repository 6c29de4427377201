/// The YAML of tests, short where the test does not care.
enum Documents {
    /// An endpoint of a ServiceEntry.
    struct Endpoint {
        var address = "127.0.0.1"
        var port: Int
        /// Flow mapping without its braces: `version: v1`.
        var labels = ""
    }

    static func gateway(_ name: String = "entry", ports: [Int] = [80], hosts: [String] = ["*"]) -> String {
        let servers = ports.map { port in
            """
              - port: {number: \(port), name: http-\(port), protocol: HTTP}
                hosts: [\(quoted(hosts))]
            """
        }
        return head("networking.istio.io/v1", "Gateway", name) + "  servers:\n" + servers.joined(separator: "\n") + "\n"
    }

    /// `http` is the list of routes, its dashes in the first column.
    static func virtualService(
        _ name: String = "routes", hosts: [String] = ["*"], gateways: [String] = ["entry"], http: String
    ) -> String {
        head("networking.istio.io/v1", "VirtualService", name) + """
              hosts: [\(quoted(hosts))]
              gateways: [\(quoted(gateways))]
              http:

            """ + indented(http)
    }

    /// A VirtualService with one rule: everything to this host.
    static func virtualService(
        _ name: String, hosts: [String], gateways: [String] = ["entry"], to host: String
    )
        -> String
    {
        virtualService(name, hosts: hosts, gateways: gateways, http: "- route: [{destination: {host: \(host)}}]")
    }

    /// One subset a version, each with the label `version`.
    static func destinationRule(_ host: String, versions: [String], balancer: String? = nil) -> String {
        let policy = balancer.map { "  trafficPolicy: {loadBalancer: {simple: \($0)}}\n" } ?? ""
        let subsets = versions.map { "  - {name: \($0), labels: {version: \($0)}}\n" }
        return head("networking.istio.io/v1", "DestinationRule", host) + "  host: \(host)\n" + policy + "  subsets:\n"
            + subsets.joined()
    }

    static func serviceEntry(_ host: String, endpoints: [Endpoint]) -> String {
        let list = endpoints.map {
            "  - {address: \($0.address), ports: {http: \($0.port)}, labels: {\($0.labels)}}\n"
        }
        return head("networking.istio.io/v1", "ServiceEntry", host) + """
              hosts: [\(host).default.svc.cluster.local]
              resolution: STATIC
              ports: [{number: 80, name: http, protocol: HTTP}]

            """ + (list.isEmpty ? "" : "  endpoints:\n" + list.joined())
    }

    /// A service whose versions v1, v2 and so on listen on these ports.
    static func serviceEntry(_ host: String, ports: [Int]) -> String {
        serviceEntry(
            host, endpoints: ports.enumerated().map { Endpoint(port: $1, labels: "version: v\($0 + 1)") })
    }

    private static func head(_ apiVersion: String, _ kind: String, _ name: String) -> String {
        "apiVersion: \(apiVersion)\nkind: \(kind)\nmetadata: {name: \(name)}\nspec:\n"
    }

    private static func quoted(_ texts: [String]) -> String { texts.map { "\"\($0)\"" }.joined(separator: ", ") }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)\n" }.joined()
    }
}

extension [String] {
    /// Several documents as one file.
    var asFile: String { joined(separator: "---\n") }
}

import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Resources built in place, in file order; line numbers are made up so that diagnostics can be told apart.
enum Fixture {
    static func resource(
        _ kind: Kind, _ name: String, _ namespace: String, _ spec: Resource.Spec, created: String? = nil,
        revision: UInt64 = 0
    ) -> Resource {
        var metadata = Metadata(name: name, namespace: namespace)
        metadata.creationTimestamp = created
        var resource = Resource(
            id: ResourceID(kind: kind, namespace: namespace, name: name), metadata: metadata, spec: spec,
            location: SourceLocation(file: "\(name).yaml", line: 1))
        resource.revision = revision
        return resource
    }

    static func server(
        _ hosts: [String] = ["*"], port: Int = 80, _ portProtocol: Gateway.PortProtocol = .http, bind: String? = nil,
        redirect: Bool = false
    ) -> Gateway.Server {
        var server = Gateway.Server()
        server.port.number = port
        server.port.protocol = portProtocol
        server.hosts = hosts
        server.bind = bind
        server.line = 7
        if redirect {
            server.tls = Gateway.TLS()
            server.tls?.httpsRedirect = true
        }
        return server
    }

    /// A Gateway named `gw`.
    static func gateway(namespace: String = "default", _ servers: [Gateway.Server] = [server()]) -> Resource {
        gateway("gw", namespace: namespace, servers)
    }

    static func gateway(
        _ name: String, namespace: String = "default", created: String? = nil, selector: [String: String] = [:],
        _ servers: [Gateway.Server] = [server()]
    ) -> Resource {
        var gateway = Gateway()
        gateway.selector = selector
        gateway.servers = servers
        return resource(.gateway, name, namespace, .gateway(gateway), created: created)
    }

    /// A VirtualService named `vs`.
    static func virtualService(
        hosts: [String] = ["*"], gateways: [String] = ["gw"], _ http: [HTTPRoute]
    ) -> Resource {
        virtualService("vs", hosts: hosts, gateways: gateways, http)
    }

    static func virtualService(
        _ name: String, namespace: String = "default", hosts: [String] = ["*"], gateways: [String] = ["gw"],
        created: String? = nil, exportTo: [String] = [], revision: UInt64 = 0, _ http: [HTTPRoute]
    ) -> Resource {
        var service = VirtualService()
        service.hosts = hosts
        service.gateways = gateways
        service.http = http
        service.exportTo = exportTo
        return resource(
            .virtualService, name, namespace, .virtualService(service), created: created, revision: revision)
    }

    static func rule(
        _ matches: [HTTPMatchRequest] = [], to destinations: (String, Int?)..., name: String? = nil
    ) -> HTTPRoute {
        var route = HTTPRoute()
        route.name = name
        route.match = matches
        route.route = destinations.map { target, weight in
            var entry = HTTPRouteDestination(destination: destination(target), weight: weight)
            entry.line = 30
            return entry
        }
        route.line = 20
        return route
    }

    static func rule(_ matches: [HTTPMatchRequest] = [], to target: String) -> HTTPRoute {
        rule(matches, to: (target, nil))
    }

    /// A rule that delegates to `name` or `namespace/name`.
    static func delegating(_ matches: [HTTPMatchRequest] = [], to target: String, name: String? = nil) -> HTTPRoute {
        var route = rule(matches, name: name)
        let parts = target.split(separator: "/").map(String.init)
        var delegate = Delegate()
        delegate.name = parts[parts.count - 1]
        delegate.namespace = parts.count > 1 ? parts[0] : nil
        route.delegate = delegate
        return route
    }

    /// A VirtualService that only others delegate to.
    static func delegate(
        _ name: String, namespace: String = "default", exportTo: [String] = [], revision: UInt64 = 0,
        _ http: [HTTPRoute]
    ) -> Resource {
        virtualService(
            name, namespace: namespace, hosts: [], gateways: [], exportTo: exportTo, revision: revision, http)
    }

    /// `host`, `host/subset`, `host:port`.
    static func destination(_ text: String) -> Destination {
        let byPort = text.split(separator: ":")
        let bySubset = byPort[0].split(separator: "/")
        return Destination(
            host: String(bySubset[0]), subset: bySubset.count > 1 ? String(bySubset[1]) : nil,
            port: byPort.count > 1 ? Int(byPort[1]) : nil)
    }

    static func match(
        prefix: String? = nil, exact: String? = nil, regex: String? = nil, port: Int? = nil, gateways: [String] = [],
        headers: [NamedMatch] = []
    ) -> HTTPMatchRequest {
        var match = HTTPMatchRequest()
        if let prefix { match.uri = .prefix(prefix) }
        if let exact { match.uri = .exact(exact) }
        if let regex { match.uri = .regex(regex) }
        match.port = port
        match.gateways = gateways
        match.headers = headers
        match.line = 25
        return match
    }

    static func port(_ number: Int, _ name: String = "http", target: Int? = nil) -> ServicePort {
        var port = ServicePort()
        port.number = number
        port.name = name
        port.protocol = "HTTP"
        port.targetPort = target
        return port
    }

    static func endpoint(
        _ address: String, ports: [String: Int] = [:], labels: [String: String] = [:], weight: Int = 1
    ) -> WorkloadEndpoint {
        var endpoint = WorkloadEndpoint()
        endpoint.address = address
        endpoint.ports = ports
        endpoint.labels = labels
        endpoint.weight = weight
        endpoint.line = 40
        return endpoint
    }

    /// A ServiceEntry for `<name>.<namespace>.svc.cluster.local` unless hosts are given.
    static func entry(
        _ name: String, namespace: String = "default", hosts: [String]? = nil, ports: [ServicePort] = [port(80)],
        resolution: ServiceEntry.Resolution = .static, exportTo: [String] = [], created: String? = nil,
        revision: UInt64 = 0, _ endpoints: [WorkloadEndpoint] = [endpoint("10.0.0.1")]
    ) -> Resource {
        var entry = ServiceEntry()
        entry.hosts = hosts ?? ["\(name).\(namespace).svc.cluster.local"]
        entry.ports = ports
        entry.endpoints = endpoints
        entry.resolution = resolution
        entry.exportTo = exportTo
        return resource(.serviceEntry, name, namespace, .serviceEntry(entry), created: created, revision: revision)
    }

    static func service(
        _ name: String, namespace: String = "default", ports: [ServicePort] = [port(80)], type: String = "ClusterIP",
        external: String? = nil, headless: Bool = false, selector: [String: String] = [:]
    ) -> Resource {
        var service = Service()
        service.ports = ports
        service.type = type
        service.externalName = external
        service.isHeadless = headless
        service.selector = selector
        return resource(.service, name, namespace, .service(service))
    }

    /// A slice with the one port `http` at 8080.
    static func slice(
        _ name: String, of service: String, created: String? = nil, _ endpoints: [EndpointSlice.Endpoint]
    ) -> Resource {
        var slice = EndpointSlice()
        slice.serviceName = service
        var port = EndpointSlice.Port()
        (port.name, port.port) = ("http", 8080)
        slice.ports = [port]
        slice.endpoints = endpoints
        return resource(.endpointSlice, name, "default", .endpointSlice(slice), created: created)
    }

    static func sliceEndpoint(_ address: String, pod: String? = nil, ready: Bool = true) -> EndpointSlice.Endpoint {
        var endpoint = EndpointSlice.Endpoint()
        endpoint.addresses = [address]
        endpoint.podName = pod
        endpoint.ready = ready
        return endpoint
    }

    static func pod(
        _ name: String, _ labels: [String: String], address: String? = nil, ready: Bool = true
    ) -> Resource {
        var pod = Pod()
        pod.podIP = address
        pod.isReady = ready
        var made = resource(.pod, name, "default", .pod(pod))
        made.metadata.labels = labels
        return made
    }

    static func workload(
        _ name: String, namespace: String = "default", _ endpoint: WorkloadEndpoint, labels: [String: String] = [:]
    ) -> Resource {
        var made = resource(.workloadEntry, name, namespace, .workloadEntry(endpoint))
        made.metadata.labels = labels
        return made
    }

    /// An entry that selects workloads.
    static func selecting(
        _ name: String, _ selector: [String: String], ports: [ServicePort] = [port(80)],
        resolution: ServiceEntry.Resolution = .static
    ) -> Resource {
        var entry = ServiceEntry()
        entry.hosts = ["\(name).default.svc.cluster.local"]
        entry.ports = ports
        entry.resolution = resolution
        entry.workloadSelector = selector
        return resource(.serviceEntry, name, "default", .serviceEntry(entry))
    }

    static func destinationRule(
        _ name: String, namespace: String = "default", host: String, subsets: [DestinationRule.Subset] = [],
        policy: TrafficPolicy? = nil, exportTo: [String] = [], selector: [String: String]? = nil,
        created: String? = nil
    ) -> Resource {
        var rule = DestinationRule()
        rule.workloadSelector = selector
        rule.host = host
        rule.subsets = subsets
        rule.trafficPolicy = policy
        rule.exportTo = exportTo
        return resource(.destinationRule, name, namespace, .destinationRule(rule), created: created)
    }

    static func subset(
        _ name: String, _ labels: [String: String] = [:], policy: TrafficPolicy? = nil
    ) -> DestinationRule.Subset {
        var subset = DestinationRule.Subset()
        subset.name = name
        subset.labels = labels
        subset.trafficPolicy = policy
        return subset
    }

    static func policy(
        _ balancer: TrafficPolicy.LoadBalancer.Simple? = nil, connect: Int? = nil, idle: Int? = nil,
        ports: [TrafficPolicy.PortTrafficPolicy] = []
    ) -> TrafficPolicy {
        var policy = TrafficPolicy()
        policy.loadBalancer = balancer.map { TrafficPolicy.LoadBalancer($0) }
        policy.connectionPool = pool(connect: connect, idle: idle)
        policy.portLevelSettings = ports
        return policy
    }

    static func portPolicy(
        _ port: Int, _ balancer: TrafficPolicy.LoadBalancer.Simple? = nil, connect: Int? = nil
    ) -> TrafficPolicy.PortTrafficPolicy {
        var policy = TrafficPolicy.PortTrafficPolicy()
        policy.port = port
        policy.loadBalancer = balancer.map { TrafficPolicy.LoadBalancer($0) }
        policy.connectionPool = pool(connect: connect, idle: nil)
        return policy
    }

    private static func pool(connect: Int?, idle: Int?) -> TrafficPolicy.ConnectionPoolSettings? {
        guard connect != nil || idle != nil else { return nil }
        var pool = TrafficPolicy.ConnectionPoolSettings()
        pool.tcp = TrafficPolicy.ConnectionPoolSettings.TCP()
        pool.tcp?.connectTimeoutMilliseconds = connect
        pool.tcp?.idleTimeoutMilliseconds = idle
        return pool
    }
}

extension Compiler {
    static func make(workers: Int = 1, _ change: (inout CompilerOptions) -> Void = { _ in }) -> Compiler {
        var options = CompilerOptions(workers: workers)
        change(&options)
        return Compiler(options: options)
    }

    func compile(_ resources: [Resource], at now: Double = 0) -> Compilation {
        compile(ResourceSet(resources), at: now)
    }
}

extension Compilation {
    /// As `clusters`, of a snapshot.
    static func clusters(of snapshot: Snapshot) -> String {
        Compilation(
            snapshot: snapshot, diagnostics: [], recompiledVirtualHosts: 0, recompiledClusters: 0, names: [],
            nextDeadline: nil
        ).clusters
    }

    /// One line a host and route: `80 shop.com`, `  path prefix "/a" -> 90 outbound|80||a...`.
    var routes: String {
        snapshot.describe().listeners.flatMap { listener in
            listener.hosts.flatMap { host in
                ["\(listener.bind.map { $0 + ":" } ?? "")\(listener.port) \(host.pattern)"]
                    + host.routes.map { route in
                        let match = route.match.isEmpty ? "*" : route.match.joined(separator: " & ")
                        let targets = route.destinations.map { destination in
                            let share = route.destinations.count > 1 ? "\(destination.weight) " : ""
                            let name = destination.cluster
                                .replacing("outbound|", with: "").replacing(".default.svc.cluster.local", with: "")
                            return share + name + (destination.isKnown ? "" : " (unknown)")
                        }
                        return "  \(match) -> \(targets.joined(separator: ", "))"
                    }
            }
        }.joined(separator: "\n")
    }

    /// One line a cluster: `80||a: 10.0.0.1:80 10.0.0.2:80*3, LEAST_REQUEST`.
    var clusters: String {
        snapshot.describe().clusters.map { cluster in
            let name = cluster.name
                .replacing("outbound|", with: "").replacing(".default.svc.cluster.local", with: "")
            let endpoints = cluster.endpoints.map { $0.address + ($0.weight == 1 ? "" : "*\($0.weight)") }
            var settings = cluster.balancer
            if cluster.connectTimeoutMilliseconds != 10_000 {
                settings += " connect \(cluster.connectTimeoutMilliseconds)"
            }
            if cluster.idleTimeoutMilliseconds != 3_600_000 { settings += " idle \(cluster.idleTimeoutMilliseconds)" }
            return "\(name): \(endpoints.joined(separator: " ")), \(settings)"
        }.joined(separator: "\n")
    }

    /// One line a finding: `IST0101 vs spec.gateways[0] vs.yaml:1`.
    var findings: [String] {
        diagnostics.map {
            "\($0.code.rawValue) \($0.resource?.name ?? "-") \($0.path) \($0.location.file):\($0.location.line)"
        }
    }
}

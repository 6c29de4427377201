import Glibc
import WeirTestSupport

@testable import WeirEngine

/// A worker whose routes a test writes, in front of an origin that answers with the head it was sent.
final class ActionGateway {
    let gateway: GatewayFixture
    let origin: OriginServer

    /// Requests for `example.com` take the first of `routes` that matches; each leads to the origin unless it answers itself.
    init(
        _ routes: [RouteSpec], redirectsToHTTPS: Bool = false, log: AccessLog? = nil,
        configure: (inout ClusterSpec) -> Void = { _ in }
    ) throws {
        origin = try OriginServer { request, socket in
            let lines = [request.startLine] + request.headers.map { "\($0.name): \($0.value)" }
            let body = lines.joined(separator: "\n")
            let extra = (request["x-answer"] ?? "").split(separator: "|").map { "\($0)\r\n" }.joined()
            let content = request.method == "HEAD" ? "" : body
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(extra)\r\n\(content)")
            return true
        }
        let port = origin.port
        let adjust: (inout EngineOptions) -> Void = { $0.accessLog = log }
        gateway = try GatewayFixture(options: adjust) { listener in
            var spec = ClusterSpec(name: "outbound|80||origin")
            spec.endpoints = EndpointTarget("127.0.0.1").map { [ClusterSpec.Endpoint($0, port: UInt16(port))] } ?? []
            configure(&spec)
            let empty = ClusterSpec(name: "outbound|80||empty")
            let host = ListenerPlan.Host(
                pattern: "example.com", plan: VirtualHostPlan(routes: routes), redirectsToHTTPS: redirectsToHTTPS)
            return Snapshot(
                generation: 1, listeners: [ListenerPlan(port: listener, bind: nil, hosts: [host])],
                clusters: [ClusterPlan(id: 0, spec: spec), ClusterPlan(id: 1, spec: empty)], clusterCapacity: 2)
        }
    }

    deinit { origin.stop() }

    /// One request on a connection of its own.
    func ask(
        _ method: String = "GET", _ target: String = "/", host: String = "example.com",
        _ headers: [(String, String)] = []
    ) throws -> TestMessage {
        var client = try gateway.client()
        let lines = headers.map { "\($0): \($1)\r\n" }.joined()
        try client.socket.send("\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\(lines)\r\n")
        return try client.response(bodyless: method == "HEAD")
    }
}

extension RouteSpec {
    /// A route that leads requests of a path to the origin (cluster 0) and also does something else.
    static func doing(
        _ path: MatchCondition.Pattern, to clusters: [Int32] = [0], name: String = "", _ actions: RouteActions?
    ) -> RouteSpec {
        var route = doing(to: clusters, name: name, actions)
        route.conditions = [MatchCondition(.path, path)]
        return route
    }

    /// One for every request.
    static func doing(to clusters: [Int32] = [0], name: String = "", _ actions: RouteActions?) -> RouteSpec {
        RouteSpec(
            conditions: [],
            destinations: clusters.map { Destination(clusterID: $0, weight: 1, clusterName: "c\($0)") },
            origin: RouteOrigin(resource: "VirtualService default/test", file: "test.yaml", line: 1, name: name),
            actions: actions)
    }
}

extension HeaderEdits {
    /// In this order; throws what the compiler would report.
    init(
        remove: [String] = [], set: KeyValuePairs<String, String> = [:], add: KeyValuePairs<String, String> = [:]
    ) throws {
        self.init()
        for name in remove { self.remove(name) }
        for (name, value) in set { try self.set(name, to: value) }
        for (name, value) in add { try self.add(name, value) }
    }
}

/// A head as a parser leaves it, alive as long as the object.
final class RequestOfText {
    let head = RequestHead()
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ text: String) {
        let latin = Array(text.utf8)
        bytes = .allocate(capacity: latin.count)
        _ = bytes.initialize(fromContentsOf: latin)
        var parser = H1Parser()
        let result = parser.parseRequest(bytes.baseAddress!, count: latin.count, into: head)
        precondition(result == .complete(consumed: latin.count), "the test's request is refused: \(result)")
    }

    deinit {
        head.free()
        bytes.deallocate()
    }
}

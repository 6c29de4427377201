import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// What is spoken with a cluster's endpoints.
@Suite struct UpstreamProtocolTests {
    private typealias F = Fixture

    private func spec(
        _ port: ServicePort, kubernetes: Bool,
        _ change: (inout TrafficPolicy.ConnectionPoolSettings.HTTP) -> Void = { _ in }
    )
        throws -> ClusterSpec
    {
        var http = TrafficPolicy.ConnectionPoolSettings.HTTP()
        change(&http)
        var policy = TrafficPolicy()
        policy.connectionPool = TrafficPolicy.ConnectionPoolSettings()
        policy.connectionPool?.http = http
        let service =
            kubernetes ? F.service("alpha", ports: [port]) : F.entry("alpha", ports: [port])
        let result = Compiler.make().compile([
            F.gateway(), service, F.virtualService([F.rule(to: "alpha")]),
            F.destinationRule("alpha", host: "alpha", policy: policy),
        ])
        return try #require(result.snapshot.clusters.first).spec
    }

    private static func port(_ name: String, protocol text: String = "", app: String? = nil) -> ServicePort {
        var port = Fixture.port(80, name)
        port.protocol = text
        port.appProtocol = app
        return port
    }

    @Test(
        arguments: [
            ("http2", nil, true), ("http2-api", nil, true), ("HTTP2-api", nil, true), ("grpc", nil, true),
            ("grpc-orders", nil, true), ("grpc-web", nil, true), ("grpc-web-x", nil, true), ("http", nil, false),
            ("http-web", nil, false), ("https", nil, false), ("tcp", nil, false), ("http2api", nil, false),
            ("grpcweb", nil, false), ("other", "http2", true), ("other", "grpc", true),
            ("other", "kubernetes.io/h2c", true),
            ("other", "kubernetes.io/ws", false), ("http2", "http", false), ("grpc", "example.com/custom", false),
        ] as [(String, String?, Bool)])
    func aKubernetesPortsNameOrAppProtocolDecides(name: String, app: String?, isHTTP2: Bool) throws {
        let spec = try spec(Self.port(name, protocol: "TCP", app: app), kubernetes: true)
        #expect(spec.httpVersion == (isHTTP2 ? .http2 : .http1))
    }

    @Test(arguments: [
        ("HTTP2", true), ("http2", true), ("GRPC", true), ("GRPC-WEB", true), ("HTTP", false), ("HTTPS", false),
        ("TLS", false), ("TCP", false), ("", false),
    ])
    func aServiceEntrysProtocolDecides(text: String, isHTTP2: Bool) throws {
        let spec = try spec(Self.port("grpc-by-name", protocol: text), kubernetes: false)
        #expect(spec.httpVersion == (isHTTP2 ? .http2 : .http1))
    }

    @Test func aPolicyDecidesBeforeThePort() throws {
        let plain = Self.port("http", protocol: "HTTP")
        let other = Self.port("http", protocol: "HTTP2")
        #expect(try spec(plain, kubernetes: false) { $0.h2UpgradePolicy = .upgrade }.httpVersion == .http2)
        #expect(try spec(plain, kubernetes: false) { $0.useClientProtocol = true }.httpVersion == .asClient)
        #expect(try spec(other, kubernetes: false) { $0.useClientProtocol = true }.httpVersion == .asClient)
        #expect(try spec(other, kubernetes: false) { $0.h2UpgradePolicy = .doNotUpgrade }.httpVersion == .http2)
    }

    @Test func limitsAndPingsAreThoseOfThePolicy() throws {
        let port = Self.port("http", protocol: "HTTP2")
        let own = try spec(port, kubernetes: false)
        #expect(own.maxConcurrentStreams == 1024 && own.pingIntervalMilliseconds == 0)
        let set = try spec(port, kubernetes: false) {
            $0.maxConcurrentStreams = 7
            $0.http2KeepAlive = TrafficPolicy.ConnectionPoolSettings.HTTP2KeepAlive()
            $0.http2KeepAlive?.intervalMilliseconds = 30_000
            $0.http2KeepAlive?.timeoutMilliseconds = 5_000
        }
        #expect(set.maxConcurrentStreams == 7)
        #expect(set.pingIntervalMilliseconds == 30_000 && set.pingTimeoutMilliseconds == 5_000)
    }
}

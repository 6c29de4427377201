import Foundation
import Testing
import WeirEngine
import WeirServer
import WeirTestSupport

/// Ports of TCP in the whole program: routes by weight, reloads, metrics and the log.
@Suite struct StreamTests {
    private static func documents(_ ports: [Int], weights: [Int]) -> [String] {
        let servers = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: entry}
            spec:
              servers:
              - {port: {number: 90, name: tcp-db, protocol: TCP}, hosts: ["*"]}
              - {port: {number: 91, name: mongo, protocol: MONGO}, hosts: ["*"]}

            """
        let routes = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: db}
            spec:
              hosts: ["*"]
              gateways: [entry]
              tcp:
              - match: [{port: 90}]
                route:
                - {destination: {host: db, subset: v1}, weight: \(weights[0])}
                - {destination: {host: db, subset: v2}, weight: \(weights[1])}

            """
        let entry = """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: db}
            spec:
              hosts: [db.default.svc.cluster.local]
              resolution: STATIC
              ports: [{number: 90, name: tcp, protocol: TCP}]
              endpoints:
              - {address: 127.0.0.1, ports: {tcp: \(ports[0])}, labels: {version: v1}}
              - {address: 127.0.0.1, ports: {tcp: \(ports[1])}, labels: {version: v2}}

            """
        return [servers, routes, entry, Documents.destinationRule("db", versions: ["v1", "v2"])]
    }

    /// Says its name, then sends back what comes.
    private static func origin(_ name: String) throws -> OriginServer {
        try OriginServer(raw: { reader, socket in
            try socket.send("\(name)\n")
            while case let bytes = try reader.someBytes(), !bytes.isEmpty { try socket.send(bytes) }
        })
    }

    private static func greeting(_ port: Int) throws -> String {
        var reader = TestReader(try TestSocket(port: port))
        let bytes = try reader.someBytes()
        reader.socket.endWriting()
        while try !reader.someBytes().isEmpty {}
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func connectionsGoWhereRoutesSayAndStayThereWhenTheseChange() throws {
        let origins = [try Self.origin("one"), try Self.origin("two")]
        defer { for origin in origins { origin.stop() } }
        let ports = origins.map(\.port)
        let server = try RunningServer.live(Self.documents(ports, weights: [100, 0]), ports: [90, 91])
        var held = TestReader(try TestSocket(port: try server.port(90)))
        #expect(try held.someBytes() == Array("one\n".utf8))
        for _ in 0..<10 { #expect(try Self.greeting(server.port(90)) == "one\n") }
        try server.reload {
            try server.directory.write("all.yaml", Self.documents(ports, weights: [0, 100]).asFile)
        }
        for _ in 0..<10 { #expect(try Self.greeting(server.port(90)) == "two\n") }
        try held.socket.send("still here")
        #expect(try held.someBytes() == Array("still here".utf8))
        // A port without a route is there, and leads nowhere.
        var nowhere = TestReader(try TestSocket(port: try server.port(91)))
        #expect(try nowhere.someBytes().isEmpty)
    }

    @Test func connectionsAreCounted() throws {
        let origins = [try Self.origin("one"), try Self.origin("two")]
        defer { for origin in origins { origin.stop() } }
        let server = try RunningServer.live(Self.documents(origins.map(\.port), weights: [100, 0]), ports: [90, 91])
        var held = TestReader(try TestSocket(port: try server.port(90)))
        _ = try held.someBytes()
        try held.socket.send("12345")
        _ = try held.someBytes()
        for _ in 0..<4 { _ = try Self.greeting(server.port(90)) }
        var nowhere = TestReader(try TestSocket(port: try server.port(91)))
        _ = try nowhere.someBytes()
        let known = [
            "reporter": "source", "request_protocol": "tcp", "destination_service": "db.default.svc.cluster.local",
        ]
        func sum(_ name: String, _ labels: [String: String]) throws -> Double {
            try server.metrics().sum("istio_tcp_\(name)_total", known.merging(labels) { $1 })
        }
        // Bytes are counted while their connection stands.
        #expect(try sum("connections_opened", ["response_flags": "-"]) == 5)
        #expect(try sum("received_bytes", [:]) == 5 && sum("sent_bytes", [:]) == 25)
        try eventually("those that are over are counted") {
            try sum("connections_closed", ["response_flags": "-"]) == 4
        }
        try eventually("and the one that led nowhere") {
            try sum("connections_closed", ["response_flags": "NR", "destination_service": "unknown"]) == 1
        }
        let text = try server.admin("/stats/prometheus").text
        #expect(
            !text.split(separator: "\n").contains { $0.hasPrefix("istio_tcp_") && $0.contains("response_code=") })
        #expect(try server.metrics().sum("istio_requests_total", [:]) == 0)
    }
}

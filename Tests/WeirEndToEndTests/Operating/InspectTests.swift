import Foundation
import Testing
import WeirEngine
import WeirTestSupport

@testable import WeirServer

/// The inspecting commands against a running server.
@Suite struct InspectTests {
    private static func server(port: Int) throws -> RunningServer {
        try RunningServer.live([
            Documents.gateway(), Documents.virtualService("web", hosts: ["*"], to: "web"),
            Documents.serviceEntry("web", ports: [port]),
        ])
    }

    private func inspection(_ server: RunningServer) throws -> Inspection {
        Inspection(admin: HostPort(host: "127.0.0.1", port: try server.adminPort()))
    }

    @Test func endpointsTellTheLoadOfAllWorkers() throws {
        let backends = try Backends(1)
        let server = try Self.server(port: backends.ports[0])
        let inspection = try inspection(server)
        let address = "127.0.0.1:\(backends.ports[0])"
        let unused = try inspection.list(.endpoints, ListingFilter(), as: .table)
        #expect(unused.contains(address))
        var client = try server.client()
        #expect(try client.request("GET", "/").status == 200)
        let body = try inspection.list(.endpoints, ListingFilter(["address": "127.0.0.1"]), as: .json)
        let rows = try JSONDecoder().decode(ListingDocument<EndpointRow>.self, from: Data(body.utf8)).rows
        #expect(rows.map(\.endpoint) == [address])
        #expect(rows.map(\.connections) == [1])
        #expect(rows.map(\.idleConnections) == [1])
        #expect(rows.map(\.activeRequests) == [0])
        #expect(
            try inspection.list(.endpoints, ListingFilter(["status": "unhealthy"]), as: .table)
                .split(separator: "\n").count == 1)
    }

    @Test func everyListingHasATable() throws {
        let server = try Self.server(port: 9)
        let inspection = try inspection(server)
        for kind in ListingKind.allCases {
            let lines = try inspection.list(kind, ListingFilter(), as: .table).split(separator: "\n")
            // Nothing here needs a certificate.
            #expect(lines.count == (kind == .secrets ? 1 : 2), "\(kind.rawValue): \(lines)")
        }
        #expect(throws: CommandFailure.self) {
            try inspection.list(.routes, ListingFilter(["nobody": "knows"]), as: .table)
        }
    }

    @Test func logLevelsChangeWhileTheServerRuns() throws {
        let server = try RunningServer.live([Documents.gateway()])
        let inspection = try inspection(server)
        let table = try inspection.logLevels(try LogChange.list("warning,config=debug"), as: .table)
        #expect(
            table
                == "LOGGER      LEVEL\naccess-log  warning\nadmin       warning\nconfig      debug\nserver      warning\n"
        )
        #expect(try inspection.logLevels([], as: .table) == table)
    }

    @Test func whoeverDoesNotAnswerIsNamed() throws {
        let port = try TestPort.free()
        let inspection = Inspection(admin: HostPort(host: "127.0.0.1", port: port))
        let failure = #expect(throws: CommandFailure.self) {
            try inspection.list(.routes, ListingFilter(), as: .table)
        }
        #expect(failure?.description.contains("127.0.0.1:\(port)") == true)
        #expect(failure?.description.contains("--admin") == true)
    }
}

import Testing
import WeirServer
import WeirTestSupport

/// A VirtualService and its DestinationRule that are written one after the other, in either order.
@Suite struct ReferenceGraceTests {
    private let backends: Backends

    init() throws { backends = try Backends(2) }

    private static let plain = Documents.virtualService(http: "- route: [{destination: {host: shop}}]")
    private static let canary = Documents.virtualService(http: "- route: [{destination: {host: shop, subset: v2}}]")
    private static let rule = Documents.destinationRule("shop", versions: ["v2"])

    private func server(grace seconds: Double) throws -> RunningServer {
        let directory = try TemporaryDirectory()
        try directory.write(
            "base.yaml", [Documents.gateway(), Documents.serviceEntry("shop", ports: backends.ports)].asFile)
        try directory.write("routes.yaml", Self.plain)
        return try RunningServer.live(directory) { $0.binding.referenceGraceSeconds = seconds }
    }

    @Test func theVirtualServiceFirst() throws {
        let server = try server(grace: 600)
        try server.reload { try server.directory.write("routes.yaml", Self.canary) }
        #expect(try server.status().problems.map(\.code) == ["WEIR0011"])
        for _ in 0..<20 { #expect(try server.get().status == 200) }
        try server.reload { try server.directory.write("rule.yaml", Self.rule) }
        for _ in 0..<20 { #expect(try server.get()["x-backend"] == "v2") }
        #expect(try server.status().problems.isEmpty)
    }

    @Test func theDestinationRuleFirst() throws {
        let server = try server(grace: 600)
        try server.reload { try server.directory.write("rule.yaml", Self.rule) }
        try server.reload { try server.directory.write("routes.yaml", Self.canary) }
        for _ in 0..<20 { #expect(try server.get()["x-backend"] == "v2") }
        #expect(try server.status().problems.isEmpty)
    }

    @Test func theRuleTakenAwayFirst() throws {
        let server = try server(grace: 600)
        try server.reload { try server.directory.write("rule.yaml", Self.rule) }
        try server.reload { try server.directory.write("routes.yaml", Self.canary) }
        try server.reload { try server.directory.remove("rule.yaml") }
        for _ in 0..<20 { #expect(try server.get()["x-backend"] == "v2") }
        #expect(try server.status().problems.map(\.code) == ["IST0101"])
        try server.reload { try server.directory.write("routes.yaml", Self.plain) }
        for _ in 0..<20 { #expect(try server.get().status == 200) }
        #expect(try server.status().problems.isEmpty)
    }

    @Test func afterTheGraceTheUpdateIsLiveByItself() throws {
        let server = try server(grace: 0.05)
        try server.directory.write("routes.yaml", Self.canary)
        try eventually("the update is live", seconds: 15) { try server.get().status == 503 }
        #expect(try server.status().problems.map(\.code) == ["IST0101"])
        try server.directory.write("rule.yaml", Self.rule)
        // Not the next reload, which may still be the one that the grace's end has made.
        try eventually("the rule is live") { try server.get()["x-backend"] == "v2" }
    }
}

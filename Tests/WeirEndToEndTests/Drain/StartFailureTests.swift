import Testing
import WeirServer
import WeirTestSupport

/// Starts that cannot succeed, and how the server ends then.
@Suite struct StartFailureTests {
    private func end(_ server: RunningServer) throws -> WeirServer.ExitStatus? {
        try eventually("the server has ended") { server.exit != nil }
        return server.exit
    }

    @Test func aBusyGatewayPortIsNamed() throws {
        let holder = try PortHolder()
        let directory = try TemporaryDirectory()
        try directory.write("gateway.yaml", Documents.gateway())
        let server = try RunningServer(starting: directory) { $0.portMap[80] = holder.port }
        #expect(try end(server) == .failure)
        #expect(server.log.hasLine(with: "error", "Port \(holder.port)", "gateway.yaml", "Gateway default/entry"))
    }

    @Test func aBusyAdminPortIsNamed() throws {
        let holder = try PortHolder()
        let server = try RunningServer(starting: TemporaryDirectory()) { $0.admin.port = holder.port }
        #expect(try end(server) == .failure)
        #expect(server.log.hasLine(with: "error", "\(holder.port)"))
    }

    @Test(arguments: ["kind: [unclosed", "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: x}\n"])
    func nothingUsableIsRefused(text: String) throws {
        let directory = try TemporaryDirectory()
        try directory.write("bad.yaml", text)
        let server = try RunningServer(starting: directory)
        #expect(try end(server) == .configuration)
        #expect(server.log.hasLine(with: "error", directory.path("bad.yaml")), "\(server.log.text)")
    }

    @Test func aMissingPathIsNamed() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.path("missing")
        let server = try RunningServer(starting: directory) { $0.configPaths = [missing] }
        #expect(try end(server) == .configuration)
        #expect(server.log.hasLine(with: "error", missing))
    }

    @Test func oneUsableDocumentIsEnough() throws {
        let directory = try TemporaryDirectory()
        try directory.write("bad.yaml", "kind: [unclosed")
        try directory.write("gateway.yaml", Documents.gateway())
        let server = try RunningServer.live(directory)
        #expect(try server.get().status == 404)
        #expect(try server.status().errors.count == 1)
    }
}

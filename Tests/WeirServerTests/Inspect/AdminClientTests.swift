import Testing
import WeirTestSupport

@testable import WeirServer

/// What a command says of a server that does not answer as it should.
@Suite struct AdminClientTests {
    @Test func aServerThatDoesNotAnswerIsNotWaitedForForever() throws {
        let holder = try PortHolder()
        let client = AdminClient(address: HostPort(host: "127.0.0.1", port: holder.port), waitSeconds: 0.05)
        let failure = #expect(throws: CommandFailure.self) { try client.request("GET", "/routes") }
        #expect(failure?.description.contains("no answer in time") == true)
    }

    @Test func anAnswerWithoutEndIsGivenUp() throws {
        let origin = try OriginServer(name: "long")
        defer { origin.stop() }
        let client = AdminClient(address: HostPort(host: "127.0.0.1", port: origin.port), answerBytes: 8)
        let failure = #expect(throws: CommandFailure.self) { try client.request("GET", "/routes") }
        #expect(failure?.description.contains("longer than 8 bytes") == true)
    }

    @Test func anotherServerIsToldFromWeir() throws {
        let origin = try OriginServer(name: "other")
        defer { origin.stop() }
        let inspection = Inspection(admin: HostPort(host: "127.0.0.1", port: origin.port))
        #expect(throws: CommandFailure.self) { try inspection.list(.routes, ListingFilter(), as: .table) }
    }
}

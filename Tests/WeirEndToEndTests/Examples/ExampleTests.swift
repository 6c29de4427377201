import Foundation
import Testing
import WeirTestSupport

/// Every file in `config/` is served and does what its first lines promise.
@Suite struct ExampleTests {
    @Test func everyExampleHasATest() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Example.directory).sorted()
        #expect(files.filter { $0.hasSuffix(".yaml") } == Example.names, "write a test for a new example")
    }

    @Test(arguments: Example.names)
    func theCommentAtTheTopSaysHowToServeIt(name: String) throws {
        let text = try String(contentsOfFile: Example.directory + "/" + name, encoding: .utf8)
        #expect(text.contains("#     weir serve --config config/\(name)"))
        #expect(text.hasPrefix("# "))
    }

    @Test func bookinfoSplitsInHalvesAndFollowsAnEdit() throws {
        let backends = try Backends(3)
        let name = "bookinfo-50-50.yaml"
        let server = try Example.server(name, backends)
        let counts = try server.tally(2_500, "/reviews/0")
        #expect(counts["v2"] == nil && counts.values.reduce(0, +) == 2_500)
        #expect(isWithinFiveSigma(counts["v1"], of: 2_500, share: 0.5), "\(counts)")
        #expect(isWithinFiveSigma(counts["v3"], of: 2_500, share: 0.5), "\(counts)")
        #expect(try server.tally(1, "/ratings") == ["404": 1])
        let edited = try Example.text(name, backends).replacingOccurrences(
            of: "subset: v3\n      weight: 50", with: "subset: v2\n      weight: 0")
        try server.reload { try server.directory.replace(name, edited) }
        #expect(try server.tally(100, "/reviews/0") == ["v1": 100])
    }

    @Test func theCanaryGetsATenthAndTestersChooseIt() throws {
        let backends = try Backends(3)
        let name = "canary-90-10.yaml"
        let server = try Example.server(name, backends)
        let host = "helloworld.example.com"
        let counts = try server.tally(3_000, "/hello", host: host)
        #expect(isWithinFiveSigma(counts["v3"], of: 3_000, share: 0.1), "\(counts)")
        let stable = (counts["v1"] ?? 0) + (counts["v2"] ?? 0)
        #expect(stable + (counts["v3"] ?? 0) == 3_000)
        #expect(abs((counts["v1"] ?? 0) - stable / 2) <= 2, "in turn: \(counts)")
        #expect(try server.tally(50, "/hello?release=canary", host: host) == ["v3": 50])
        #expect(try server.tally(1, "/hello", host: "another.example.com") == ["404": 1])
        let back = try Example.text(name, backends).replacingOccurrences(of: "weight: 10\n", with: "weight: 0\n")
        try server.reload { try server.directory.replace(name, back) }
        #expect(try server.tally(200, "/hello", host: host)["v3"] == nil)
    }

    @Test func jasonAloneSeesVersionTwo() throws {
        let backends = try Backends(2)
        let server = try Example.server("end-user-header.yaml", backends)
        #expect(try server.tally(50, "/reviews/0") == ["v1": 50])
        #expect(try server.tally(50, "/reviews/0", headers: [("end-user", "jason")]) == ["v2": 50])
        #expect(try server.tally(50, "/reviews/0", headers: [("end-user", "jasons")]) == ["v1": 50])
    }

    @Test func everyBranchHasItsBuild() throws {
        let backends = try Backends(3)
        let server = try Example.server("feature-branches.yaml", backends)
        try expectBranches(server)
    }

    @Test func aBranchInAFileOfItsOwnIsAddedAndDeleted() throws {
        let backends = try Backends(3)
        // The branch's two documents and everything else, as the comment advises.
        let documents = try Example.text("feature-branches.yaml", backends).components(separatedBy: "---\n")
        let branch = documents.filter { $0.contains("faster-search") && !$0.hasPrefix("# A build") }
        let rest = documents.filter { !branch.contains($0) }
        #expect(branch.count == 2 && rest.count == 5)
        let directory = try TemporaryDirectory()
        try directory.write("rest.yaml", rest.asFile)
        let server = try RunningServer.live(directory, ports: [8080])
        func search() throws -> [String: Int] {
            try server.tally(3, host: "shop.example.com", headers: [("x-branch", "faster-search")])
        }
        #expect(try search() == ["v1": 3])
        try server.reload { try directory.replace("faster-search.yaml", branch.asFile) }
        #expect(try search() == ["v2": 3])
        try expectBranches(server)
        try server.reload { try directory.remove("faster-search.yaml") }
        #expect(try search() == ["v1": 3])
    }

    private func expectBranches(_ server: RunningServer) throws {
        func ask(_ target: String, _ branch: String?) throws -> [String: Int] {
            try server.tally(10, target, host: "shop.example.com", headers: branch.map { [("x-branch", $0)] } ?? [])
        }
        #expect(try ask("/", nil) == ["v1": 10])
        #expect(try ask("/", "faster-search") == ["v2": 10])
        #expect(try ask("/checkout/pay", "faster-search") == ["v2": 10])
        #expect(try ask("/checkout/pay", "new-checkout") == ["v3": 10])
        #expect(try ask("/", "new-checkout") == ["v1": 10])
        #expect(try ask("/", "unknown") == ["v1": 10])
        #expect(try server.tally(1, host: "other.example.com") == ["404": 1])
    }
}

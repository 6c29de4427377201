import Testing
import WeirTestSupport

/// A mistake in one file: named where the operator looks, and nobody else's traffic suffers.
@Suite struct BrokenFileTests {
    private let backends: Backends
    private let directory: TemporaryDirectory
    private let server: RunningServer

    init() throws {
        backends = try Backends(2)
        directory = try TemporaryDirectory()
        try directory.write(
            "frame.yaml",
            [
                Documents.gateway(), Documents.destinationRule("shop", versions: ["v1", "v2"]),
                Documents.serviceEntry("shop", ports: backends.ports),
            ].asFile)
        try directory.write("good.yaml", Self.routes("good", weights: (1, 0)))
        server = try RunningServer.live(directory)
    }

    /// A host of its own for every file; the second destination stands in line 10.
    private static func routes(_ name: String, weights: (Any, Any)) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: \(name)}
        spec:
          hosts: [\(name).example.com]
          gateways: [entry]
          http:
          - route:
            - {destination: {host: shop, subset: v1}, weight: \(weights.0)}
            - {destination: {host: shop, subset: v2}, weight: \(weights.1)}

        """
    }

    private func backend(_ name: String) throws -> String {
        let answer = try server.get(host: "\(name).example.com")
        return answer["x-backend"] ?? "\(answer.status)"
    }

    private func problem() throws -> StatusDocument.Problem {
        let errors = try server.status().errors
        try #require(errors.count == 1, "one mistake stands in /status")
        return errors[0]
    }

    @Test func aFileThatIsNoYAMLIsNamedWithItsLine() throws {
        try server.reload {
            try directory.replace(
                "bad.yaml", Self.routes("bad", weights: (1, 1)) + "---\nkind: [unclosed\nspec: {}\n")
        }
        let problem = try problem()
        #expect(problem.code == "WEIR0001" && problem.file == directory.path("bad.yaml"))
        // The list begins in line 12; the parser sees that it is not closed in the line that follows.
        #expect((12...14).contains(problem.line ?? 0), "line \(problem.line ?? 0)")
        #expect(server.log.hasLine(with: "error", "WEIR0001", "\(directory.path("bad.yaml")):\(problem.line ?? 0)"))
        #expect(try backend("good") == "v1")
        try server.reload { try directory.replace("bad.yaml", Self.routes("bad", weights: (0, 1))) }
        #expect(try backend("bad") == "v2")
        #expect(try server.status().problems.isEmpty)
        #expect(server.log.hasLine(with: "resolved", directory.path("bad.yaml")))
    }

    @Test func aFieldOfTheWrongTypeIsNamedWithResourceAndPath() throws {
        try server.reload { try directory.replace("bad.yaml", Self.routes("bad", weights: (1, "heavy"))) }
        let problem = try problem()
        #expect(problem.code == "IST0106" && problem.severity == "error")
        #expect(problem.file == directory.path("bad.yaml") && problem.line == 10)
        #expect(problem.resource == "VirtualService default/bad")
        #expect(problem.path == "spec.http[0].route[1].weight")
        #expect(
            server.log.hasLine(
                with: "error", "\(directory.path("bad.yaml")):10", "VirtualService default/bad",
                "spec.http[0].route[1].weight"))
        #expect(try backend("good") == "v1")
        #expect(try backend("bad") == "404", "it was never good")
        try server.reload { try directory.write("bad.yaml", Self.routes("bad", weights: (1, 0))) }
        #expect(try backend("bad") == "v1")
        #expect(try server.status().problems.isEmpty)
    }

    @Test(arguments: ["kind: [unclosed", "weight: heavy"])
    func whatWasGoodStaysInForceWhenItIsBroken(how: String) throws {
        let broken =
            how.hasPrefix("kind")
            ? Self.routes("good", weights: (0, 1)) + how : Self.routes("good", weights: ("heavy", 1))
        try server.reload { try directory.replace("good.yaml", broken) }
        _ = try problem()
        #expect(try backend("good") == "v1")
        let file = try #require(try server.status().files.first { $0.path == directory.path("good.yaml") })
        #expect(file.kept == 1)
        try server.reload { try directory.replace("good.yaml", Self.routes("good", weights: (0, 1))) }
        #expect(try backend("good") == "v2")
        #expect(try server.status().files.allSatisfy { $0.kept == 0 })
    }

    @Test func oneBadDocumentLeavesTheOthersOfItsFileAlone() throws {
        try server.reload {
            try directory.replace(
                "mixed.yaml",
                [
                    Self.routes("one", weights: (1, 0)), Self.routes("two", weights: (1, "heavy")),
                    Self.routes("three", weights: (0, 1)),
                ].asFile)
        }
        #expect(try problem().resource == "VirtualService default/two")
        #expect(try problem().line == 21)
        #expect(try backend("one") == "v1" && backend("three") == "v2" && backend("two") == "404")
    }

    @Test func aBrokenFileDoesNotHoldUpLaterReloads() throws {
        try server.reload { try directory.replace("bad.yaml", "kind: [unclosed") }
        _ = try problem()
        try server.reload { try directory.replace("later.yaml", Self.routes("later", weights: (0, 1))) }
        #expect(try backend("later") == "v2" && backend("good") == "v1")
        #expect(try problem().file == directory.path("bad.yaml"), "still reported")
        try server.reload { try directory.remove("bad.yaml") }
        #expect(try server.status().problems.isEmpty)
    }
}

import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Endpoints that are names.
@Suite struct NameTests {
    private typealias F = Fixture

    private func resources(_ targets: [String], _ others: [Resource]) -> [Resource] {
        let rules = targets.enumerated().map { F.rule([F.match(exact: "/\($0.offset)")], to: $0.element) }
        return [F.gateway(), F.virtualService(rules)] + others
    }

    private func answer(_ texts: String...) -> NameAnswer {
        let targets = texts.map { EndpointTarget($0)! }
        return NameAnswer(addresses: targets.sorted(), first: targets.first)
    }

    private func clusters(_ update: EndpointUpdate?) -> String? {
        (update?.snapshot).map { Compilation.clusters(of: $0) }
    }

    // MARK: Answers

    @Test func everyAddressOfEveryNameIsAnEndpointOfItsNamesWeight() {
        let compiler = Compiler.make()
        let entry = F.entry(
            "a", ports: [F.port(80, target: 8080)], resolution: .dns,
            [
                F.endpoint("One.example.com", weight: 9), F.endpoint("10.0.0.9"),
                F.endpoint("two.example.com", ports: ["http": 90]),
            ])
        let first = compiler.compile(resources(["a"], [entry]))
        #expect(first.names == ["one.example.com", "two.example.com"])
        #expect(first.clusters == "80||a: 10.0.0.9:8080, LEAST_REQUEST")
        let update = compiler.update([
            "one.example.com": answer("10.0.0.2", "10.0.0.1"), "two.example.com": answer("10.0.0.1", "fd00::1"),
        ])
        #expect(
            clusters(update) == "80||a: 10.0.0.1:8080*9 10.0.0.2:8080*9 10.0.0.9:8080 10.0.0.1:90 [fd00::1]:90, "
                + "LEAST_REQUEST")
        // What does not change the endpoints is no update.
        #expect(compiler.update(["one.example.com": answer("10.0.0.1", "10.0.0.2")]) == nil)
        #expect(compiler.update(["three.example.com": answer("10.0.0.1")]) == nil)
    }

    @Test func anUpdateMakesTheClustersConcernedAndNothingElse() throws {
        let compiler = Compiler.make()
        let first = compiler.compile(
            resources(
                ["a", "b", "c"],
                [
                    F.entry("a", resolution: .dns, [F.endpoint("x.com")]), F.entry("b"),
                    F.entry("c", resolution: .dns, [F.endpoint("x.com")]),
                ]))
        let update = try #require(compiler.update(["x.com": answer("10.9.0.1")]))
        #expect(update.clusters == [0, 2])
        #expect(update.snapshot.generation == first.snapshot.generation)
        #expect(update.snapshot.listeners[0] === first.snapshot.listeners[0])
        #expect(update.snapshot.clusters[1] === first.snapshot.clusters[1])
        #expect(update.snapshot.clusters[0] !== first.snapshot.clusters[0])
        // A reload keeps what is known.
        let second = compiler.compile(
            resources(
                ["a", "b", "c"],
                [
                    F.entry("a", resolution: .dns, [F.endpoint("x.com")]), F.entry("b", [F.endpoint("10.0.0.7")]),
                    F.entry("c", resolution: .dns, [F.endpoint("x.com")]),
                ]))
        #expect(second.snapshot.clusters[0] === update.snapshot.clusters[0])
        #expect(second.recompiledClusters == 1)
    }

    @Test func namesAreWantedWhileADestinationLeadsToThem() {
        let compiler = Compiler.make()
        let entries = [
            F.entry("a", resolution: .dns, [F.endpoint("x.com")]),
            F.entry("b", resolution: .dns, [F.endpoint("y.com")]),
            F.entry("c", resolution: .dns, [F.endpoint("z.com")]),
        ]
        #expect(compiler.compile(resources(["a", "b"], entries)).names == ["x.com", "y.com"])
        _ = compiler.update(["x.com": answer("10.0.0.1")])
        #expect(compiler.compile(resources(["b"], entries)).names == ["y.com"])
        // Forgotten with its last use: it is looked up anew.
        #expect(compiler.compile(resources(["a"], entries)).clusters == "80||a: , LEAST_REQUEST")
    }

    @Test func aNameThatMovesFromOneClusterToAnotherKeepsItsAnswer() {
        let compiler = Compiler.make()
        _ = compiler.compile(resources(["a"], [F.entry("a", resolution: .dns, [F.endpoint("x.com")])]))
        _ = compiler.update(["x.com": answer("10.0.0.1")])
        let moved = compiler.compile(resources(["b"], [F.entry("b", resolution: .dns, [F.endpoint("x.com")])]))
        #expect(moved.clusters == "80||b: 10.0.0.1:80, LEAST_REQUEST")
    }

    @Test func roundRobinLeadsToTheFirstAddressAndKeepsItWhenNoneIsLeft() throws {
        let compiler = Compiler.make()
        _ = compiler.compile(resources(["a"], [F.entry("a", resolution: .dnsRoundRobin, [F.endpoint("x.com")])]))
        let first = compiler.update(["x.com": answer("10.0.0.2", "10.0.0.1")])
        #expect(clusters(first) == "80||a: 10.0.0.2:80, LEAST_REQUEST")
        #expect(first?.snapshot.clusters[0].spec.logicalName == "x.com:80")
        let second = compiler.update(["x.com": answer("10.0.0.1", "10.0.0.2")])
        #expect(clusters(second) == "80||a: 10.0.0.1:80, LEAST_REQUEST")
        var gone = NameAnswer(problem: "NXDOMAIN")
        gone.first = EndpointTarget("10.0.0.1")
        #expect(compiler.update(["x.com": gone]) == nil)
    }

    // MARK: Which names

    @Test func withoutEndpointsEachHostIsLookedUpByItself() {
        let compiler = Compiler.make()
        let entry = F.entry("e", hosts: ["One.example.com", "two.example.com", "10.1.1.1"], resolution: .dns, [])
        let result = compiler.compile(resources(["one.example.com", "two.example.com", "10.1.1.1"], [entry]))
        #expect(result.names == ["one.example.com", "two.example.com"])
        #expect(
            result.clusters == """
                80||one.example.com: , LEAST_REQUEST
                80||two.example.com: , LEAST_REQUEST
                80||10.1.1.1: 10.1.1.1:80, LEAST_REQUEST
                """)
        let update = compiler.update(["two.example.com": answer("10.0.0.1")])
        #expect(clusters(update)?.contains("80||two.example.com: 10.0.0.1:80,") == true)
    }

    @Test func aWildcardHostIsReachedByItsEndpoints() {
        let entry = F.entry("e", hosts: ["*.example.com"], resolution: .dns, [F.endpoint("any.example.com")])
        let result = Compiler.make().compile(resources(["*.example.com"], [entry]))
        #expect(result.names == ["any.example.com"])
        #expect(result.clusters == "80||*.example.com: , LEAST_REQUEST")
    }

    @Test func anExternalNameThatIsNoServiceIsLookedUp() {
        let compiler = Compiler.make()
        let service = F.service(
            "ext", ports: [F.port(443, target: 8443)], type: "ExternalName", external: "Example.com")
        #expect(compiler.compile(resources(["ext"], [service])).names == ["example.com"])
        let update = compiler.update(["example.com": answer("10.0.0.1")])
        #expect(clusters(update) == "443||ext: 10.0.0.1:443, LEAST_REQUEST")
        // Without ports it has whichever is asked for.
        let bare = F.service("ext", ports: [], type: "ExternalName", external: "10.7.7.7")
        let result = Compiler.make().compile(resources(["ext", "ext:81"], [bare]))
        #expect(result.clusters == "80||ext: 10.7.7.7:80, LEAST_REQUEST\n81||ext: 10.7.7.7:81, LEAST_REQUEST")
        #expect(result.names.isEmpty)
    }

    @Test func aServiceWithoutSlicesIsLookedUpByItsClusterName() {
        let compiler = Compiler.make()
        let ports = [F.port(80, target: 8080)]
        let result = compiler.compile(
            resources(
                ["one", "two", "three"],
                [
                    F.service("one", ports: ports), F.service("two", ports: ports, headless: true),
                    F.service("three", ports: ports), F.slice("s", of: "three", []),
                ]))
        #expect(result.names == ["one.default.svc.cluster.local", "two.default.svc.cluster.local"])
        let update = compiler.update([
            "one.default.svc.cluster.local": answer("10.96.0.1"),
            "two.default.svc.cluster.local": answer("10.0.0.1", "10.0.0.2"),
        ])
        #expect(
            clusters(update) == """
                80||one: 10.96.0.1:80, LEAST_REQUEST
                80||two: 10.0.0.1:8080 10.0.0.2:8080, LEAST_REQUEST
                80||three: , LEAST_REQUEST
                """)
    }

    @Test func whereNothingIsToBeResolvedThereIsNoCluster() {
        let entry = F.entry("a", resolution: .dns, [F.endpoint("x.com", labels: ["version": "v1"])])
        let rule = F.destinationRule(
            "a", host: "a", subsets: [F.subset("v1", ["version": "v1"]), F.subset("v2", ["version": "v2"])])
        let empty = F.selecting("b", ["app": "x"], resolution: .dns)
        let compiler = Compiler.make()
        let result = compiler.compile(resources(["a/v1", "a/v2", "b"], [entry, rule, empty]))
        #expect(result.clusters == "80|v1|a: , LEAST_REQUEST")
        #expect(
            result.findings == [
                "IST0101 vs spec.http[1].route[0].destination.host vs.yaml:30",
                "IST0101 vs spec.http[2].route[0].destination.host vs.yaml:30",
            ])
        // There is one once something is selected.
        let workload = F.workload("w", F.endpoint("w.com"), labels: ["app": "x"])
        let later = compiler.compile(resources(["a/v1", "a/v2", "b"], [entry, rule, empty, workload]))
        #expect(later.clusters == "80|v1|a: , LEAST_REQUEST\n80||b: , LEAST_REQUEST")
        #expect(later.names == ["x.com", "w.com"])
    }

    // MARK: Problems

    @Test func aNameThatIsNotResolvedIsReportedWhereItIsWritten() {
        let compiler = Compiler.make()
        _ = compiler.compile(
            resources(
                ["a", "b", "s"],
                [
                    F.entry("a", resolution: .dns, [F.endpoint("10.0.0.1"), F.endpoint("x.com")]),
                    F.entry("b", resolution: .dns, [F.endpoint("x.com")]), F.service("s"),
                    F.entry("unused", resolution: .dns, [F.endpoint("x.com")]),
                ]))
        #expect(compiler.nameDiagnostics.isEmpty)
        let name = "s.default.svc.cluster.local"
        _ = compiler.update([
            "x.com": NameAnswer(problem: "no name server answered in time"), name: NameAnswer(problem: "NXDOMAIN"),
        ])
        let found = compiler.nameDiagnostics
        #expect(
            found.map { "\($0.code.rawValue) \($0.path) \($0.location.file):\($0.location.line)" } == [
                "WEIR0010 metadata.name s.yaml:1", "WEIR0010 spec.endpoints[1].address a.yaml:40",
                "WEIR0010 spec.endpoints[0].address b.yaml:40", "WEIR0010 spec.endpoints[0].address unused.yaml:40",
            ])
        #expect(found[1].message.contains("no name server answered in time") && found[1].message.contains("503"))
        var stale = answer("10.0.0.4")
        stale.problem = "no name server answered in time"
        _ = compiler.update(["x.com": stale, name: answer("10.96.0.1")])
        #expect(compiler.nameDiagnostics.allSatisfy { $0.message.contains("used on") })
        _ = compiler.update(["x.com": answer("10.0.0.4")])
        #expect(compiler.nameDiagnostics.isEmpty)
    }
}

import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Ten thousand VirtualServices: printed times, and a bound loose enough for any machine and build.
@Suite(.serialized) struct ScaleTests {
    private typealias F = Fixture
    private static let count = 10_000

    private func service(_ number: Int, weight: Int, revision: UInt64) -> Resource {
        F.virtualService(
            "vs-\(number)", hosts: ["app-\(number).example.com"], revision: revision,
            [
                F.rule([F.match(prefix: "/api")], to: ("app-\(number)/v1", weight), ("app-\(number)/v2", 100 - weight)),
                F.rule(to: "app-\(number)"),
            ])
    }

    private func rule(_ number: Int) -> Resource {
        var resource = F.destinationRule(
            "app-\(number)", host: "app-\(number)",
            subsets: [F.subset("v1", ["version": "v1"]), F.subset("v2", ["version": "v2"])])
        resource.revision = 1
        return resource
    }

    private func entry(_ number: Int, revision: UInt64 = 1) -> Resource {
        F.entry(
            "app-\(number)", revision: revision,
            [
                F.endpoint("10.0.\(number / 250).\(number % 250)", labels: ["version": "v1"]),
                F.endpoint("10.1.\(number / 250).\(revision)", labels: ["version": "v2"]),
            ])
    }

    private func timed(_ what: String, _ body: () -> Compilation) -> Compilation {
        var result: Compilation?
        let time = ContinuousClock().measure { result = body() }
        print("compile, \(Self.count) VirtualServices, \(what): \(time)")
        #expect(time < .seconds(30))
        return result!
    }

    @Test func anEditAmongTenThousandIsCheap() {
        var resources = [F.gateway()]
        resources += (0..<Self.count).flatMap { [service($0, weight: 90, revision: 1), rule($0), entry($0)] }
        let compiler = Compiler.make(workers: 2)
        let set = ResourceSet(resources)
        let full = timed("all") { compiler.compile(set) }
        #expect(full.recompiledVirtualHosts == Self.count)
        #expect(full.recompiledClusters == 3 * Self.count)
        #expect(full.diagnostics.isEmpty)

        let idle = timed("nothing changed") { compiler.compile(set) }
        #expect(idle.recompiledVirtualHosts == 0)

        resources[1 + 3 * 5000] = service(5000, weight: 10, revision: 2)
        let edited = ResourceSet(resources)
        let one = timed("one weight changed") { compiler.compile(edited) }
        #expect(one.recompiledVirtualHosts == 1)
        #expect(one.recompiledClusters == 0)

        resources[3 + 3 * 700] = entry(700, revision: 2)
        let moved = ResourceSet(resources)
        let endpoint = timed("one endpoint changed") { compiler.compile(moved) }
        #expect(endpoint.recompiledVirtualHosts == 0)
        #expect(endpoint.recompiledClusters == 2)

        resources.remove(at: 1)
        let fewer = ResourceSet(resources)
        let removed = timed("the first one removed") { compiler.compile(fewer) }
        #expect(removed.recompiledVirtualHosts == 0)
        #expect(removed.snapshot.listeners[0].hosts.count == Self.count - 1)
    }

    @Test func tenThousandServicesOfOneHost() {
        func part(_ number: Int, revision: UInt64 = 1) -> Resource {
            F.virtualService(
                "vs-\(number)", revision: revision, [F.rule([F.match(prefix: "/p\(number)/")], to: "alpha")])
        }
        var resources = [F.gateway(), F.entry("alpha")] + (0..<Self.count).map { part($0) }
        let compiler = Compiler.make()
        let set = ResourceSet(resources)
        #expect(timed("all on one host") { compiler.compile(set) }.recompiledVirtualHosts == 1)
        resources[100] = part(98, revision: 2)
        let edited = ResourceSet(resources)
        #expect(timed("all on one host, one changed") { compiler.compile(edited) }.recompiledVirtualHosts == 1)
    }
}

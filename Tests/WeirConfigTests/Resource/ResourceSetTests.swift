import Testing
import WeirConfig

@Suite struct ResourceSetTests {
    private func gateway(_ name: String, _ namespace: String = "a", created: String? = nil, line: Int = 1) -> Resource {
        var metadata = Metadata(name: name, namespace: namespace)
        metadata.creationTimestamp = created
        return Resource(
            id: ResourceID(kind: .gateway, namespace: namespace, name: name), metadata: metadata,
            spec: .gateway(Gateway()), location: SourceLocation(file: "a.yaml", line: line))
    }

    @Test func sortsByCreationThenNameThenNamespaceWithTheUndatedFirst() {
        let set = ResourceSet([
            gateway("c", created: "2024-02-01T00:00:00Z"),
            gateway("d", created: "2024-01-01T00:00:00Z"),
            gateway("b", "z"),
            gateway("b", "a"),
            gateway("a", "z"),
        ])
        let order = set.resources(of: .gateway).map { "\($0.id.namespace)/\($0.id.name)" }
        #expect(order == ["z/a", "a/b", "z/b", "a/d", "a/c"])
    }

    @Test func keepsTheFirstOfAnIdAndListsTheOthers() {
        let set = ResourceSet([gateway("a", line: 1), gateway("b"), gateway("a", line: 9)])
        #expect(set.count == 2)
        #expect(set[ResourceID(kind: .gateway, namespace: "a", name: "a")]?.location.line == 1)
        #expect(set.duplicates.map(\.location.line) == [9])
    }

    @Test func findsNothingForAnUnknownIdOrKind() {
        let set = ResourceSet([gateway("a")])
        #expect(set[ResourceID(kind: .service, namespace: "a", name: "a")] == nil)
        #expect(set[ResourceID(kind: .gateway, namespace: "b", name: "a")] == nil)
        #expect(set.resources(of: .pod).isEmpty)
    }

    @Test func doesNotDependOnTheOrderGiven() {
        let resources = [gateway("a"), gateway("b"), gateway("c")]
        #expect(ResourceSet(resources) == ResourceSet(resources.reversed()))
        #expect(ResourceSet(resources) != ResourceSet([]))
    }

    /// An edit in place must give what a set made anew would be; anything else must fall back to that.
    @Test func aSetMadeFromTheFormerOneEqualsOneMadeAnew() {
        var resources = (0..<50).map { gateway("g\(($0 * 37) % 50)", line: $0) }
        for index in resources.indices { resources[index].revision = UInt64(index) + 1 }
        var set = ResourceSet(resources)
        var seed: UInt64 = 5
        var kinds = [0, 0, 0, 0, 0]
        for round in 0..<400 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let place = Int((seed >> 33) % UInt64(resources.count))
            let kind = Int((seed >> 20) % 5)
            kinds[kind] += 1
            switch kind {
            case 0: resources[place] = gateway(resources[place].id.name, line: 1000 + round)
            case 1: resources.append(gateway("new\(round)"))
            case 2: resources.remove(at: place)
            case 3: resources[place].metadata.creationTimestamp = "2024-01-01T00:00:\(10 + round % 50)Z"
            default: resources.swapAt(place, 0)
            }
            let changed = min(place, resources.count - 1)
            resources[changed].revision = UInt64(1000 + round)
            resources[resources.count - 1].revision = UInt64(10_000 + round)
            set = ResourceSet(resources, after: set)
            #expect(set == ResourceSet(resources))
            let anew = ResourceSet(resources)
            let isSame = resources.allSatisfy { set[$0.id]?.revision == anew[$0.id]?.revision }
            #expect(isSame)
        }
        #expect(kinds.allSatisfy { $0 > 40 })
    }
}

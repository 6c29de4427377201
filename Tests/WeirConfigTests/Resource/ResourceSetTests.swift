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
}

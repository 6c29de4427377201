/// All resources in force at one moment, found by id and listed by kind in Istio's order.
package struct ResourceSet: Sendable, Equatable {
    /// Each kind's resources, sorted once.
    private let byKind: [Kind: [Resource]]
    /// Position of each id in its kind's list.
    private let positions: [ResourceID: Int]

    /// Resources whose id an earlier one already had; they are not used.
    package let duplicates: [Resource]
    /// As given.
    private let input: [Resource]

    /// The first resource of an id wins; the others become `duplicates`.
    ///
    /// O(n log n).
    package init(_ resources: [Resource]) {
        var seen = Set<ResourceID>(minimumCapacity: resources.count)
        var grouped: [Kind: [Resource]] = [:]
        var duplicates: [Resource] = []
        for resource in resources {
            if seen.insert(resource.id).inserted {
                grouped[resource.id.kind, default: []].append(resource)
            } else {
                duplicates.append(resource)
            }
        }
        var positions = [ResourceID: Int](minimumCapacity: seen.count)
        for kind in Array(grouped.keys) {
            grouped[kind]?.sort(by: Self.isOlder)
            for (position, resource) in (grouped[kind] ?? []).enumerated() { positions[resource.id] = position }
        }
        byKind = grouped
        self.positions = positions
        self.duplicates = duplicates
        input = resources
    }

    /// As `init(_:)`, but O(n) with a small factor when the resources are those of `former`, some of them edited in place.
    ///
    /// The usual change: a weight in one of many documents.
    package init(_ resources: [Resource], after former: ResourceSet) {
        guard let edited = former.edits(in: resources) else {
            self.init(resources)
            return
        }
        var byKind = former.byKind
        for index in edited {
            let resource = resources[index]
            guard let position = former.positions[resource.id] else { continue }
            byKind[resource.id.kind]?[position] = resource
        }
        self.init(byKind: byKind, positions: former.positions, input: resources)
    }

    private init(byKind: [Kind: [Resource]], positions: [ResourceID: Int], input: [Resource]) {
        self.byKind = byKind
        self.positions = positions
        self.input = input
        duplicates = []
    }

    /// Places in `resources` whose content differs from `input`; `nil` when more than that is different.
    private func edits(in resources: [Resource]) -> [Int]? {
        guard duplicates.isEmpty, resources.count == input.count else { return nil }
        var edited: [Int] = []
        for index in resources.indices where resources[index].revision != input[index].revision {
            let (old, new) = (input[index], resources[index])
            // Whatever else an edit changes, id and age decide the place.
            guard old.id == new.id, old.metadata.creationTimestamp == new.metadata.creationTimestamp else { return nil }
            edited.append(index)
        }
        return edited
    }

    package static func == (left: ResourceSet, right: ResourceSet) -> Bool {
        left.byKind == right.byKind && left.duplicates == right.duplicates
    }

    /// O(1).
    package subscript(id: ResourceID) -> Resource? {
        positions[id].flatMap { byKind[id.kind]?[$0] }
    }

    /// In Istio's order: creation timestamp (absent first), then name, then namespace.
    ///
    /// Earlier wins in conflicts. O(1).
    package func resources(of kind: Kind) -> [Resource] { byKind[kind] ?? [] }

    /// How many resources count; duplicates do not.
    package var count: Int { positions.count }

    private static func isOlder(_ one: Resource, _ other: Resource) -> Bool {
        let (left, right) = (one.metadata, other.metadata)
        let (leftTime, rightTime) = (left.creationTimestamp ?? "", right.creationTimestamp ?? "")
        if leftTime != rightTime { return leftTime < rightTime }
        if left.name != right.name { return left.name < right.name }
        return left.namespace < right.namespace
    }
}

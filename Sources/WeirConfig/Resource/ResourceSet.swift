/// All resources in force at one moment, found by id and listed by kind in Istio's order.
package struct ResourceSet: Sendable, Equatable {
    /// Each kind's resources, sorted once.
    private let byKind: [Kind: [Resource]]
    /// Position of each id in its kind's list.
    private let positions: [ResourceID: Int]

    /// Resources whose id an earlier one already had; they are not used.
    package let duplicates: [Resource]

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

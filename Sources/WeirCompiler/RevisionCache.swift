import WeirConfig

/// Values derived from single resources, kept while their resource stays as it is.
struct RevisionCache<Value> {
    private struct Entry {
        let resource: Resource
        let value: Value
        var round: Int
    }
    private var entries: [ResourceID: Entry] = [:]
    private var round = 0

    /// The value made for this revision of the resource, or a new one.
    mutating func value(for resource: Resource, _ make: (Resource) -> Value) -> Value {
        if let entry = entries[resource.id], entry.resource.isSame(as: resource) {
            if entry.round != round { entries[resource.id]?.round = round }
            return entry.value
        }
        let value = make(resource)
        entries[resource.id] = Entry(resource: resource, value: value, round: round)
        return value
    }

    /// Ends a round: what was not asked for in it is forgotten.
    mutating func dropUnused() {
        let round = round
        entries = entries.filter { $0.value.round == round }
        self.round += 1
    }
}

extension Resource {
    /// Unchanged since the other was seen.
    ///
    /// Revision 0 was given by no store, so the contents decide.
    func isSame(as other: Resource) -> Bool {
        if revision != other.revision { return false }
        return revision == 0 ? self == other : id == other.id
    }
}

/// Lists of resources as they were seen last: tells when something made of all of them must be made again.
struct SeenResources {
    private var lists: [Kind: [Resource]] = [:]

    /// Whether any of the kinds differs from the last time it was asked about.
    mutating func changed(_ kinds: [Kind], in resources: ResourceSet) -> Bool {
        var changed = false
        for kind in kinds {
            let list = resources.resources(of: kind)
            if let last = lists[kind], Self.equal(last, list) { continue }
            lists[kind] = list
            changed = true
        }
        return changed
    }

    private static func equal(_ last: [Resource], _ list: [Resource]) -> Bool {
        guard last.count == list.count else { return false }
        for index in list.indices where !list[index].isSame(as: last[index]) { return false }
        return true
    }
}

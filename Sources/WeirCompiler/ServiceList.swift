import WeirConfig

/// The VirtualServices as objects: the same one for as long as its resource stays as it is, and what it delegates to.
struct ServiceList {
    /// What an update did to the editions that serve.
    struct Change {
        /// Editions that serve the same hosts on the same Gateways as those before them.
        var replaced: [(place: Int, former: RoutedService)] = []
        /// Hosts or Gateways changed, or whole VirtualServices came or went: `replaced` is not all.
        var isRearranged = false
        /// Places with something else to tell, although what serves stays.
        var reported: [Int] = []

        var isNone: Bool { replaced.isEmpty && !isRearranged }
    }

    /// The editions that serve, in Istio's order.
    private(set) var services: [RoutedService] = []
    /// The VirtualServices somebody delegates to.
    private(set) var delegates: Set<ResourceID> = []
    private(set) var grace: ReferenceGrace
    /// The newest of everything, place by place.
    private var resources: [Resource] = []
    private var lastSerial: UInt64 = 0
    private let options: CompilerOptions

    init(options: CompilerOptions) {
        self.options = options
        grace = ReferenceGrace(options: options)
    }

    /// Takes over the newest VirtualServices; what they name is looked up in `clusters`.
    mutating func update(_ all: ResourceSet, _ clusters: ClusterCompiler, at now: Double) -> Change {
        let list = all.resources(of: .virtualService)
        var change = edited(list, all).map { takeEdits($0, all, clusters, now) } ?? rearrange(list, all, clusters, now)
        resources = list
        if !grace.isEmpty { release(clusters, now, &change) }
        if !change.isNone || !change.reported.isEmpty { updateDelegates(&change) }
        return change
    }

    /// Places whose content changed; `nil` when more than that did.
    private func edited(_ list: [Resource], _ all: ResourceSet) -> [Int]? {
        guard list.count == resources.count, list.count == services.count else { return nil }
        var places: [Int] = []
        for place in list.indices {
            if !list[place].isSame(as: resources[place]) {
                // Listed in order of age and name: a different id at a place means that others moved too.
                guard list[place].id == resources[place].id else { return nil }
                places.append(place)
            } else if !isCurrent(newest(services[place]), all) {
                places.append(place)
            }
        }
        return places
    }

    private mutating func takeEdits(
        _ places: [Int], _ all: ResourceSet, _ clusters: ClusterCompiler, _ now: Double
    ) -> Change {
        var change = Change()
        let list = all.resources(of: .virtualService)
        for place in places {
            guard let newer = make(list[place], all) else { continue }
            let former = services[place]
            change.reported.append(place)
            if !grace.holds(newer, after: former, clusters, at: now) { replace(place, by: newer, &change) }
        }
        return change
    }

    private mutating func replace(_ place: Int, by newer: RoutedService, _ change: inout Change) {
        let former = services[place]
        services[place] = newer
        if newer.servesAs(former) {
            change.replaced.append((place, former))
        } else {
            change.isRearranged = true
        }
    }

    private mutating func rearrange(
        _ list: [Resource], _ all: ResourceSet, _ clusters: ClusterCompiler, _ now: Double
    ) -> Change {
        let known = Dictionary(services.map { ($0.resource.id, $0) }, uniquingKeysWith: { first, _ in first })
        services = list.compactMap { resource in
            let serving = known[resource.id]
            if let serving, resource.isSame(as: newest(serving).resource), isCurrent(newest(serving), all) {
                return serving
            }
            guard let newer = make(resource, all) else { return nil }
            return grace.holds(newer, after: serving, clusters, at: now) ? serving : newer
        }
        grace.keep { all[$0] != nil }
        return Change(isRearranged: true)
    }

    /// Editions whose references have appeared, or whose grace is over.
    private mutating func release(_ clusters: ClusterCompiler, _ now: Double, _ change: inout Change) {
        for edition in grace.released(clusters, at: now) {
            guard let place = services.firstIndex(where: { $0.resource.id == edition.resource.id }) else { continue }
            change.reported.append(place)
            replace(place, by: edition, &change)
        }
    }

    /// The edition that serves, or will when its references have appeared.
    private func newest(_ serving: RoutedService) -> RoutedService {
        grace.isEmpty ? serving : grace.edition(of: serving.resource.id) ?? serving
    }

    // MARK: Delegates

    /// Whether all it delegates to is as it was.
    private func isCurrent(_ service: RoutedService, _ all: ResourceSet) -> Bool {
        service.delegates.allSatisfy { source in
            guard let before = source.resource, let now = all[source.id] else {
                return (source.resource == nil) == (all[source.id] == nil)
            }
            return now.isSame(as: before)
        }
    }

    private mutating func updateDelegates(_ change: inout Change) {
        var used: Set<ResourceID> = []
        for service in services {
            let service = newest(service)
            for source in service.delegates where source.resource != nil { used.insert(source.id) }
        }
        if used == delegates { return }
        change.reported += services.indices.filter {
            services[$0].isDelegate
                && used.contains(services[$0].resource.id) != delegates.contains(services[$0].resource.id)
        }
        delegates = used
    }

    private mutating func make(_ resource: Resource, _ all: ResourceSet) -> RoutedService? {
        guard case .virtualService(let service) = resource.spec else { return nil }
        lastSerial += 1
        return RoutedService(resource, service, serial: lastSerial, options: options) { all[$0] }
    }
}

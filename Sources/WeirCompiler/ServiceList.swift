import WeirConfig

/// The VirtualServices as objects: the same one for as long as its resource stays as it is.
struct ServiceList {
    enum Change {
        case none
        /// Some were replaced by an edition that serves the same hosts on the same Gateways: places and former editions.
        case inPlace([(place: Int, former: RoutedService)])
        /// Anything else.
        case rearranged
    }

    /// In Istio's order.
    private(set) var services: [RoutedService] = []
    /// What `services` were made of, place by place.
    private var resources: [Resource] = []
    private var lastSerial: UInt64 = 0
    private let options: CompilerOptions

    init(options: CompilerOptions) {
        self.options = options
    }

    mutating func update(_ list: [Resource]) -> Change {
        defer { resources = list }
        guard list.count == resources.count, list.count == services.count else { return rearrange(list) }
        var changed: [Int] = []
        for place in list.indices where !list[place].isSame(as: resources[place]) {
            // Listed in order of age and name: a different id at a place means that others moved too.
            guard list[place].id == resources[place].id else { return rearrange(list) }
            changed.append(place)
        }
        if changed.isEmpty { return .none }
        var replaced: [(place: Int, former: RoutedService)] = []
        var isInPlace = true
        for place in changed {
            guard let service = make(list[place]) else { return rearrange(list) }
            let former = services[place]
            if !service.servesAs(former) { isInPlace = false }
            services[place] = service
            replaced.append((place, former))
        }
        return isInPlace ? .inPlace(replaced) : .rearranged
    }

    private mutating func rearrange(_ list: [Resource]) -> Change {
        let known = Dictionary(services.map { ($0.resource.id, $0) }, uniquingKeysWith: { first, _ in first })
        services = list.compactMap { resource in
            if let service = known[resource.id], resource.isSame(as: service.resource) { return service }
            return make(resource)
        }
        return .rearranged
    }

    private mutating func make(_ resource: Resource) -> RoutedService? {
        guard case .virtualService(let service) = resource.spec else { return nil }
        lastSerial += 1
        return RoutedService(resource, service, serial: lastSerial, options: options)
    }
}

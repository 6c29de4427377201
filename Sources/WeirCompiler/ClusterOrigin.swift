import WeirConfig
import WeirEngine

extension ClusterSpec {
    /// What listings tell of where a cluster comes from.
    mutating func note(_ service: RegisteredService, _ rule: MergedRule?) {
        destinationRule = rule.map { "\($0.resource.id.name).\($0.resource.id.namespace)" }
        discovery =
            switch service.discovery {
            case .listed: service.isReachedByName ? .names : .listed
            case .names: .names
            case .firstAddress: .firstAddress
            }
    }
}

extension RegisteredService {
    /// Its own name or another stands for it, as for a Service whose endpoints nobody lists.
    fileprivate var isReachedByName: Bool {
        endpoints.contains { if case .name = $0.place { true } else { false } }
    }
}

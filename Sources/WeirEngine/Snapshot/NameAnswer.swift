/// What DNS says of a name, on its way from the resolver to the plans of the clusters that are reached by it.
package struct NameAnswer: Sendable, Hashable {
    /// All addresses, sorted: servers shuffle them, which is no change.
    package var addresses: [EndpointTarget] = []
    /// The first address of the last answer that had any, in the server's order.
    package var first: EndpointTarget?
    /// Why the name has no addresses, or has old ones; `nil` while all is well.
    package var problem: String?

    package init(addresses: [EndpointTarget] = [], first: EndpointTarget? = nil, problem: String? = nil) {
        self.addresses = addresses
        self.first = first
        self.problem = problem
    }
}

extension EndpointTarget: Comparable {
    package static func < (left: EndpointTarget, right: EndpointTarget) -> Bool {
        switch (left, right) {
        case (.ipv4(let left), .ipv4(let right)): left.bigEndian < right.bigEndian
        case (.ipv6(let high, let low), .ipv6(let otherHigh, let otherLow)):
            (high.bigEndian, low.bigEndian) < (otherHigh.bigEndian, otherLow.bigEndian)
        case (.unix(let left), .unix(let right)): left < right
        case (.ipv4, _), (.ipv6, .unix): true
        case (.ipv6, .ipv4), (.unix, _): false
        }
    }
}

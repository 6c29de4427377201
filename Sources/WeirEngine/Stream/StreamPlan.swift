/// Where connections go whose bytes pass through as they are: the routes of a TCP server, or of a TLS server that is passed
/// through or ended here (Istio: VirtualService `tcp` and `tls`).
package final class StreamPlan: @unchecked Sendable {
    // Sendable: immutable after init; what the pointers lead to is freed by deinit alone.

    package struct Destination: Sendable, Hashable {
        /// An interned cluster, or -1: no such host, subset or port.
        package var clusterID: Int32
        package var weight: UInt32
        /// `outbound|<port>|<subset>|<fqdn>`, also when there is no such cluster.
        package var clusterName: String

        package init(clusterID: Int32, weight: UInt32, clusterName: String) {
            self.clusterID = clusterID
            self.weight = weight
            self.clusterName = clusterName
        }
    }

    package struct Route: Sendable, Hashable {
        /// Server names of the connections it takes: lower-case `a.example.com`, `*.example.com`, `*`; empty = every one,
        /// also those that name no server.
        package var serverNames: [String]
        package var destinations: [Destination]
        package var origin: RouteOrigin

        package init(serverNames: [String] = [], destinations: [Destination], origin: RouteOrigin) {
            self.serverNames = serverNames
            self.destinations = destinations
            self.origin = origin
        }
    }

    /// What became of the choice of a destination.
    enum Choice: Equatable {
        case noRoute
        /// The id of a cluster, or -1 where there is no such one; the number of the route.
        case cluster(Int32, route: Int)
    }

    /// In the order they were stated; of two that take the same name, the first does.
    package let routes: [Route]
    private let table: HostTable
    /// By number of the name in the table: its route.
    private let owners: UnsafePointer<Int32>
    /// The route that needs no name, or -1.
    private let nameless: Int
    /// By number of the route: where its destinations begin, and behind the last one where they end.
    private let starts: UnsafePointer<Int>
    private let destinations: UnsafePointer<DestinationPlan>

    package init(routes: [Route]) {
        self.routes = routes
        table = HostTable(routes.flatMap(\.serverNames))
        owners = UnsafePointer(
            UnsafeMutablePointer.copy(
                of: routes.enumerated().flatMap { index, route in route.serverNames.map { _ in Int32(index) } }))
        nameless = routes.firstIndex { $0.serverNames.isEmpty } ?? -1
        var starts = [0]
        var flat: [DestinationPlan] = []
        for route in routes {
            var total: UInt64 = 0
            // As with HTTP: a lone destination takes everything, and among several weight 0 means never.
            for destination in route.destinations where destination.weight > 0 || route.destinations.count == 1 {
                total += UInt64(max(destination.weight, 1))
                flat.append(
                    DestinationPlan(clusterID: destination.clusterID, cumulativeWeight: total, policies: nil))
            }
            starts.append(flat.count)
        }
        self.starts = UnsafePointer(UnsafeMutablePointer.copy(of: starts))
        destinations = UnsafePointer(UnsafeMutablePointer.copy(of: flat))
    }

    deinit {
        owners.deallocate()
        starts.deallocate()
        destinations.deallocate()
    }

    /// All names its routes take, each once: what a listener has to hand to this plan; empty where a route needs none.
    package var serverNames: [String] {
        var seen: Set<String> = []
        return routes.flatMap(\.serverNames).filter { seen.insert($0).inserted }
    }

    /// The cluster for a connection; `random` is uniform over all 64 bits.
    ///
    /// `serverName`: what the client calls the server, as received; empty when it has not said, or was not asked.
    func choose(serverName: UnsafeRawBufferPointer, random: UInt64) -> Choice {
        let route = route(for: serverName)
        guard route >= 0 else { return .noRoute }
        let first = starts[route]
        let end = starts[route + 1]
        guard first < end else { return .noRoute }
        // The high half of the product is uniform over 0..<total.
        let point = random.multipliedFullWidth(by: destinations[end - 1].cumulativeWeight).high
        var index = first
        while index < end - 1, destinations[index].cumulativeWeight <= point { index += 1 }
        return .cluster(destinations[index].clusterID, route: route)
    }

    private func route(for serverName: UnsafeRawBufferPointer) -> Int {
        guard !serverName.isEmpty else { return nameless >= 0 ? nameless : star }
        let number = Int(table.lookup(serverName))
        return number >= 0 ? Int(owners[number]) : nameless
    }

    /// The route for every name, which takes those too that name none; -1 without one.
    private var star: Int {
        let number = Int(table.lookup(UnsafeRawBufferPointer(start: nil, count: 0)))
        return number >= 0 ? Int(owners[number]) : -1
    }
}

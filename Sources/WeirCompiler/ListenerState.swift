import WeirEngine

/// A listener's virtual hosts, kept between generations so that an edit finds its place.
final class ListenerState {
    /// A VirtualService's share in a virtual host.
    struct Member {
        var service: RoutedService
        let entrance: Entrance
    }
    struct Group {
        /// What tells it from the other groups of its listener.
        struct Key: Hashable {
            let domain: String
            /// A service's port, where a domain has a group for each; else 0.
            var port = 0
        }

        let key: Key
        /// In the order their routes are tried (semantics 3.3).
        var members: [Member]
        /// Where requests go when no member has a route here.
        var fallback: DestinationRequest?
        var host: CompiledHost?
        /// Its requests are sent to https, whatever its members say (semantics 2.5).
        var redirectsToHTTPS = false
    }
    /// Where a member stands.
    struct Slot {
        unowned let listener: ListenerState
        let group: Int
        let member: Int
    }
    private struct Share: Hashable {
        let group: Int
        let service: UInt64
        let binding: Int
    }

    let port: Int
    let bind: String?
    /// What its route table is called.
    let name: String
    /// By what names the groups are reached; `nil` = each by its domain.
    private let names: [MeshName]?
    private(set) var groups: [Group] = []
    private var places: [Group.Key: Int] = [:]
    /// Of groups with several members: who is in them.
    private var shares: Set<Share> = []
    private(set) var plan: ListenerPlan

    /// A Gateway's listener, or a server of one that speaks TLS; still without hosts.
    init(port: Int, bind: String?, name: String) {
        self.port = port
        self.bind = bind
        self.name = name
        names = nil
        plan = ListenerPlan(port: port, bind: bind, hosts: [])
    }

    /// The listener for callers without a sidecar.
    init(mesh address: MeshAddress, _ layout: MeshLayout) {
        port = address.port
        bind = address.host
        name = "mesh.\(port)"
        names = layout.names
        groups = layout.groups
        plan = ListenerPlan(port: port, bind: bind, hosts: [])
        for (place, group) in groups.enumerated() {
            places[group.key] = place
            for (index, member) in group.members.enumerated() {
                member.service.slots.append(Slot(listener: self, group: place, member: index))
            }
        }
    }

    /// Whether the other is its edition of another generation.
    func isSuccessor(of other: ListenerState) -> Bool {
        port == other.port && bind == other.bind && name == other.name
    }

    /// The group of a key.
    func group(for key: Group.Key) -> Group? { places[key].map { groups[$0] } }

    /// Adds what a VirtualService serves through one server.
    func add(_ member: Member, domains: [String]) {
        for domain in domains {
            let key = Group.Key(domain: domain)
            guard let group = places[key] else {
                places[key] = groups.count
                member.service.slots.append(Slot(listener: self, group: groups.count, member: 0))
                groups.append(Group(key: key, members: [member]))
                continue
            }
            // Two servers of a Gateway may share a port and a host; the second adds nothing.
            if groups[group].members.count == 1 { shares.insert(share(of: groups[group].members[0], in: group)) }
            guard shares.insert(share(of: member, in: group)).inserted else { continue }
            member.service.slots.append(Slot(listener: self, group: group, member: groups[group].members.count))
            groups[group].members.append(member)
        }
    }

    /// Requests for a domain are sent to https, also where no VirtualService serves it.
    func redirectToHTTPS(_ domain: String) {
        let key = Group.Key(domain: domain)
        if let group = places[key] {
            groups[group].redirectsToHTTPS = true
        } else {
            places[key] = groups.count
            groups.append(Group(key: key, members: [], redirectsToHTTPS: true))
        }
    }

    private func share(of member: Member, in group: Int) -> Share {
        Share(group: group, service: member.service.serial, binding: member.entrance.binding)
    }

    /// Puts a newer edition in the place of a member.
    func replace(_ slot: Slot, by service: RoutedService) { groups[slot.group].members[slot.member].service = service }

    func setHost(_ host: CompiledHost, of group: Int) { groups[group].host = host }

    /// Makes the plan of the hosts as they are now.
    ///
    /// A domain without a route here is none: a wider one may take its requests (semantics 3.4).
    func makePlan() {
        let plans = groups.map { group in
            group.host.flatMap { $0.plan.routeCount > 0 || group.redirectsToHTTPS ? $0.plan : nil }
        }
        guard let names else {
            let hosts = zip(groups, plans).compactMap { group, plan in
                plan.map {
                    ListenerPlan.Host(
                        pattern: group.key.domain, plan: $0, redirectsToHTTPS: group.redirectsToHTTPS)
                }
            }
            plan = ListenerPlan(port: port, bind: bind, hosts: hosts)
            return
        }
        let hosts = names.compactMap { name -> ListenerPlan.Host? in
            guard let plan = plans[name.group] else { return nil }
            let ports = name.ports.compactMap { entry in plans[entry.group].map { (entry.port, $0) } }
            return ListenerPlan.Host(
                pattern: name.name, plan: plan,
                ports: ports.map { ListenerPlan.PortPlan(port: $0.0, plan: $0.1) })
        }
        plan = ListenerPlan(port: port, bind: bind, hosts: hosts, isLiteral: true)
    }
}

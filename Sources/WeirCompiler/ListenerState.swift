import WeirEngine

/// A listener's virtual hosts, kept between generations so that an edit finds its place.
final class ListenerState {
    /// What a VirtualService adds through one server.
    struct Part {
        let service: RoutedService
        let server: Int
        let domains: [String]
    }
    /// A VirtualService's share in a virtual host.
    struct Member {
        var service: RoutedService
        /// Place of the server in the layout.
        let server: Int
        let binding: Int
    }
    struct Group {
        let domain: String
        /// In the order their routes are tried (semantics 3.3).
        var members: [Member]
        var host: CompiledHost?
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
    private(set) var groups: [Group] = []
    private var places: [String: Int] = [:]
    /// Of groups with several members: who is in them.
    private var shares: Set<Share> = []
    private(set) var plan: ListenerPlan

    init(port: Int, bind: String?) {
        self.port = port
        self.bind = bind
        plan = ListenerPlan(port: port, bind: bind, hosts: [])
    }

    /// The group of a domain.
    func group(for domain: String) -> Group? { places[domain].map { groups[$0] } }

    func add(_ part: Part, binding: Int) {
        let member = Member(service: part.service, server: part.server, binding: binding)
        for domain in part.domains {
            guard let group = places[domain] else {
                places[domain] = groups.count
                part.service.slots.append(Slot(listener: self, group: groups.count, member: 0))
                groups.append(Group(domain: domain, members: [member], host: nil))
                continue
            }
            // Two servers of a Gateway may share a port and a host; the second adds nothing.
            if groups[group].members.count == 1 { shares.insert(share(of: groups[group].members[0], in: group)) }
            guard shares.insert(share(of: member, in: group)).inserted else { continue }
            part.service.slots.append(Slot(listener: self, group: group, member: groups[group].members.count))
            groups[group].members.append(member)
        }
    }

    private func share(of member: Member, in group: Int) -> Share {
        Share(group: group, service: member.service.serial, binding: member.binding)
    }

    /// Puts a newer edition in the place of a member.
    func replace(_ slot: Slot, by service: RoutedService) { groups[slot.group].members[slot.member].service = service }

    func setHost(_ host: CompiledHost, of group: Int) { groups[group].host = host }

    /// Makes the plan of the hosts as they are now.
    func makePlan() {
        let hosts = groups.compactMap { group in
            group.host.map { ListenerPlan.Host(pattern: group.domain, plan: $0.plan) }
        }
        plan = ListenerPlan(port: port, bind: bind, hosts: hosts)
    }
}

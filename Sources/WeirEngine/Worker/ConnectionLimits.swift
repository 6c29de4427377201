/// How many connections the process may have open, so that a flood of them leaves descriptors for everything else.
package struct ConnectionLimits: Sendable, Equatable {
    /// From clients, over all listeners and workers, those included whose last bytes are still going out.
    package var clients = Int.max
    /// From clients of one listener, over all workers: a flood at one port leaves something to the others.
    package var clientsPerListener = Int.max
    /// To endpoints, over all workers, each of which has an equal share.
    package var upstreams = Int.max

    /// No limits.
    package init() {}

    /// Shares out what a process may open.
    ///
    /// A part is left for listeners, files, admin and health. Of the rest, clients get two thirds, since most of their
    /// connections are idle, and endpoints one third.
    package init(descriptors: Int) {
        let rest = descriptors - Self.reserved(descriptors)
        clients = max(rest / 3 * 2, 1)
        clientsPerListener = max(clients / 8 * 7, 1)
        upstreams = max(rest / 3, 1)
    }

    /// To each of the admin, health and metrics servers: an eighth of the reserve, so that files are left theirs.
    package static func local(descriptors: Int) -> Int { reserved(descriptors) / 8 }

    /// What is not for the connections of the data plane: half of the descriptors, at most 1024.
    static func reserved(_ descriptors: Int) -> Int { min(descriptors / 2, maxReservedDescriptors) }

    static let maxReservedDescriptors = 1024
}

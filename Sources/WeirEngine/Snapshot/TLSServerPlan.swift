/// One server of a port that speaks TLS: the names it answers to, its certificates, and what is behind them.
package final class TLSServerPlan: Sendable {
    /// What a connection is given to once its server is known.
    package enum Content: Sendable {
        /// The routes of this server alone.
        case http(ListenerPlan)
        /// Decrypted bytes go through.
        case stream(StreamPlan)
        /// Bytes go through as they come; contexts are not looked at.
        case passthrough(StreamPlan)
    }

    /// Of its route table, for listings.
    package let name: String
    /// Lower-case `a.example.com`, `*.example.com` or `*`.
    package let patterns: [String]
    /// Without them no connection can be opened to this server: its certificate is missing or broken.
    package let contexts: TLSServerContexts?
    package let content: Content

    package init(name: String = "", patterns: [String], contexts: TLSServerContexts?, content: Content) {
        self.name = name
        self.patterns = patterns
        self.contexts = contexts
        self.content = content
    }
}

/// The servers of a port by the name a client asks for in its hello (SNI, RFC 6066 section 3).
final class TLSServerTable: @unchecked Sendable {
    // Sendable: immutable after init; what the pointer leads to is freed by deinit alone.

    let servers: [TLSServerPlan]
    private let table: HostTable
    /// By number of the pattern; kept alive by `servers`.
    private let plans: UnsafeMutablePointer<Unmanaged<TLSServerPlan>>

    /// Of equal patterns the first one counts.
    init(_ servers: [TLSServerPlan]) {
        self.servers = servers
        table = HostTable(servers.flatMap(\.patterns))
        plans = .copy(
            of: servers.flatMap { server in server.patterns.map { _ in Unmanaged.passUnretained(server) } })
    }

    deinit { plans.deallocate() }

    /// The server for a name, or for a hello without one when it is empty; valid while the table lives.
    func server(for name: UnsafeRawBufferPointer) -> Unmanaged<TLSServerPlan>? {
        let number = Int(table.lookup(name))
        return number < 0 ? nil : plans[number]
    }
}

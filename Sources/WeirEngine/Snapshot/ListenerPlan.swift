/// A listener and what is behind it on one declared port and address: virtual hosts of plain HTTP, servers of TLS, or where
/// its bytes go.
package final class ListenerPlan: @unchecked Sendable {
    // Sendable: immutable after init; what the pointer leads to is freed by deinit alone.

    /// One host pattern and its routes.
    package struct Host: Sendable {
        /// Lower-case `a.example.com`, `*.example.com` or `*`; IPv6 addresses in brackets.
        package var pattern: String
        package var plan: VirtualHostPlan
        /// Instead of `plan`, for requests whose Host names one of these ports.
        package var ports: [PortPlan]
        /// All its requests are sent to https (`httpsRedirect`); those of ACME's challenges are served where a route names
        /// their path.
        package var redirectsToHTTPS: Bool

        package init(
            pattern: String, plan: VirtualHostPlan, ports: [PortPlan] = [], redirectsToHTTPS: Bool = false
        ) {
            self.pattern = pattern
            self.plan = plan
            self.ports = ports
            self.redirectsToHTTPS = redirectsToHTTPS
        }
    }

    package struct PortPlan: Sendable {
        package var port: Int
        package var plan: VirtualHostPlan

        package init(port: Int, plan: VirtualHostPlan) {
            self.port = port
            self.plan = plan
        }
    }

    /// As declared by the Gateway; the process may listen elsewhere.
    package let port: Int
    /// As declared; `nil` = the process's default.
    package let bind: String?
    /// The port is the one listened on, whatever the process maps ports to.
    package let isLiteral: Bool
    /// Connections begin with a PROXY protocol header, which says who the client is.
    package let expectsProxyHeader: Bool
    package let hosts: [Host]
    /// Connections are no HTTP: their bytes go where this says, and there are no hosts.
    package let stream: StreamPlan?
    /// The port speaks TLS: by the name that a connection asks for, servers with virtual hosts of their own; `hosts` is
    /// empty then.
    let tls: TLSServerTable?
    private let table: HostTable
    /// Plans by number of the pattern; kept alive by `hosts`.
    private let plans: UnsafeMutablePointer<Unmanaged<VirtualHostPlan>>
    /// Hosts with plans of their own for some ports; `nil` when there are none, as at every Gateway.
    private let ports: PortTable?
    /// By number of the pattern: `redirectsToHTTPS`; empty when no host's requests are.
    private let redirects: UnsafeBufferPointer<Bool>

    package convenience init(
        port: Int, bind: String?, hosts: [Host], isLiteral: Bool = false, stream: StreamPlan? = nil
    ) {
        self.init(port: port, bind: bind, hosts: hosts, stream: stream, tls: nil, isLiteral: isLiteral)
    }

    /// A port that speaks TLS.
    package convenience init(port: Int, bind: String?, servers: [TLSServerPlan]) {
        self.init(port: port, bind: bind, hosts: [], stream: nil, tls: TLSServerTable(servers), isLiteral: false)
    }

    /// The same plan, for connections that begin with a PROXY protocol header.
    package func expectingProxyHeaders() -> ListenerPlan {
        ListenerPlan(
            port: port, bind: bind, hosts: hosts, stream: stream, tls: tls, isLiteral: isLiteral,
            expectsProxyHeader: true)
    }

    private init(
        port: Int, bind: String?, hosts: [Host], stream: StreamPlan?, tls: TLSServerTable?, isLiteral: Bool,
        expectsProxyHeader: Bool = false
    ) {
        self.expectsProxyHeader = expectsProxyHeader
        self.stream = stream
        self.port = port
        self.bind = bind
        self.hosts = hosts
        self.isLiteral = isLiteral
        self.tls = tls
        table = HostTable(hosts.map(\.pattern))
        plans = .copy(of: hosts.map { Unmanaged.passUnretained($0.plan) })
        ports = hosts.contains { !$0.ports.isEmpty } ? PortTable(hosts.map(\.ports)) : nil
        let flags = hosts.contains(where: \.redirectsToHTTPS) ? hosts.map(\.redirectsToHTTPS) : []
        redirects = UnsafeBufferPointer(start: UnsafeMutablePointer.copy(of: flags), count: flags.count)
    }

    deinit {
        plans.deallocate()
        redirects.deallocate()
    }

    /// The servers of a port that speaks TLS; empty for others.
    package var servers: [TLSServerPlan] { tls?.servers ?? [] }

    /// For listings: the hosts, and with its port each that is another one there, such as `reviews:9090`.
    var hostsByPort: [Host] {
        hosts.flatMap { host in
            let others = host.ports.filter { $0.plan !== host.plan }
            return [host] + others.map { Host(pattern: "\(host.pattern):\($0.port)", plan: $0.plan) }
        }
    }

    /// The virtual host for an authority as received, or `nil`; valid while the listener's snapshot lives.
    func virtualHost(for authority: UnsafeRawBufferPointer) -> Unmanaged<VirtualHostPlan>? {
        var redirects = false
        return virtualHost(for: authority, &redirects)
    }

    /// The same; `redirects` is set to whether its requests are sent to https.
    @inline(__always)  // once a request
    func virtualHost(
        for authority: UnsafeRawBufferPointer, _ redirects: inout Bool
    ) -> Unmanaged<VirtualHostPlan>? {
        let number = Int(table.lookup(authority))
        if number < 0 { return nil }
        if self.redirects.count > 0 { redirects = self.redirects[number] }
        return ports?.plan(of: number, authority) ?? plans[number]
    }
}

/// Plans by number of the host and port in the authority.
private final class PortTable {
    private struct Slot {
        let port: Int
        let plan: Unmanaged<VirtualHostPlan>
    }

    /// Where each host's slots begin, and behind the last one where they end.
    private let starts: UnsafeMutablePointer<Int>
    private let slots: UnsafeMutablePointer<Slot>

    /// The plans must outlive the table.
    init(_ ports: [[ListenerPlan.PortPlan]]) {
        var starts = [0]
        for entries in ports { starts.append(starts[starts.count - 1] + entries.count) }
        self.starts = .copy(of: starts)
        slots = .copy(of: ports.joined().map { Slot(port: $0.port, plan: Unmanaged.passUnretained($0.plan)) })
    }

    deinit {
        starts.deallocate()
        slots.deallocate()
    }

    /// `nil` when the authority names no port, or none of the host's.
    func plan(of host: Int, _ authority: UnsafeRawBufferPointer) -> Unmanaged<VirtualHostPlan>? {
        guard starts[host] < starts[host + 1], let port = Self.port(of: authority) else { return nil }
        for place in starts[host]..<starts[host + 1] where slots[place].port == port { return slots[place].plan }
        return nil
    }

    private static func port(of authority: UnsafeRawBufferPointer) -> Int? {
        var port = 0
        for byte in authority[HostTable.withoutPort(authority).count...].dropFirst() {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), port <= 65_535 else { return nil }
            port = port * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return port
    }
}

/// A listener and the virtual hosts behind it: plain HTTP on one declared port and address.
package final class ListenerPlan: @unchecked Sendable {
    // Sendable: immutable after init; what the pointer leads to is freed by deinit alone.

    /// One host pattern and its routes.
    package struct Host: Sendable {
        /// Lower-case `a.example.com`, `*.example.com` or `*`; IPv6 addresses in brackets.
        package var pattern: String
        package var plan: VirtualHostPlan

        package init(pattern: String, plan: VirtualHostPlan) {
            self.pattern = pattern
            self.plan = plan
        }
    }

    /// As declared by the Gateway; the process may listen elsewhere.
    package let port: Int
    /// As declared; `nil` = the process's default.
    package let bind: String?
    package let hosts: [Host]
    private let table: HostTable
    /// Plans by number of the pattern; kept alive by `hosts`.
    private let plans: UnsafeMutablePointer<Unmanaged<VirtualHostPlan>>

    package init(port: Int, bind: String?, hosts: [Host]) {
        self.port = port
        self.bind = bind
        self.hosts = hosts
        table = HostTable(hosts.map(\.pattern))
        plans = .copy(of: hosts.map { Unmanaged.passUnretained($0.plan) })
    }

    deinit { plans.deallocate() }

    /// The virtual host for an authority as received, or `nil`; valid while the listener's snapshot lives.
    func virtualHost(for authority: UnsafeRawBufferPointer) -> Unmanaged<VirtualHostPlan>? {
        let number = table.lookup(authority)
        return number < 0 ? nil : plans[Int(number)]
    }
}

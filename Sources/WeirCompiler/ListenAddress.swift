import WeirEngine

/// Where a Gateway's server takes requests: servers of one address share a listener.
///
/// However it is written: no `bind`, `0.0.0.0` and `::` are all addresses of the machine, where only one listener can be.
struct ListenAddress: Hashable {
    private enum Host: Hashable {
        case all
        case one(EndpointTarget)
        /// What is no address is told when it is to be listened on.
        case text(String)
    }

    let port: Int
    private let host: Host

    /// `standard` holds for servers without a `bind`; `nil` = all addresses.
    init(port: Int, bind: String?, standard: String?) {
        self.port = port
        guard let text = bind ?? standard else {
            host = .all
            return
        }
        host =
            switch EndpointTarget(text) {
            case .ipv4(0), .ipv6(0, 0): .all
            case let target?: .one(target)
            case nil: .text(text)
            }
    }

    /// Of two ways to write one address the one that takes in both: `0.0.0.0` leaves out IPv6.
    static func wider(_ one: String?, _ other: String?, standard: String?) -> String? {
        EndpointTarget(one ?? standard ?? "") == .ipv4(0) ? other : one
    }
}

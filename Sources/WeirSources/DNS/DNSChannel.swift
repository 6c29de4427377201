private import CCares
import Glibc
import WeirEngine

/// Asks name servers, without ever waiting: the c-ares fence.
///
/// Its sockets and timeouts are events of the control loop. Control thread only.
final class DNSChannel {
    /// Addresses kept of one answer.
    static let maxAddresses = 1024

    private let loop: ControlLoop
    private var channel: ares_channel?
    /// By descriptor: what c-ares waits for.
    private var watches: [Int32: [ControlWatch]] = [:]
    private var timer: ControlWatch?
    /// Lookups under way.
    private(set) var pending = 0

    private static let libraryStatus: Int32 = ares_library_init(ARES_LIB_INIT_ALL)

    /// Fails when the system's configuration of names cannot be read.
    init(loop: ControlLoop, options: NameResolverOptions) throws(SourceError) {
        self.loop = loop
        guard Self.libraryStatus == ARES_SUCCESS else { throw SourceError(Self.text(Self.libraryStatus)) }
        var settings = ares_options()
        settings.timeout = Int32(clamping: options.timeoutMilliseconds)
        settings.tries = Int32(clamping: options.attempts)
        settings.sock_state_cb = { context, descriptor, reads, writes in
            Unmanaged<DNSChannel>.fromOpaque(context!).takeUnretainedValue()
                .watch(descriptor, reads: reads != 0, writes: writes != 0)
        }
        settings.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
        let mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF
        let status = options.resolvConf.withCString { path in
            settings.resolvconf_path = UnsafeMutablePointer(mutating: path)
            return ares_init_options(&channel, &settings, mask)
        }
        guard status == ARES_SUCCESS else { throw SourceError(Self.text(status)) }
        if let servers = options.servers {
            let status = ares_set_servers_ports_csv(channel, servers)
            guard status == ARES_SUCCESS else {
                close()
                throw SourceError("\(servers) names no server: \(Self.text(status))")
            }
        }
    }

    deinit { close() }

    /// Ends all lookups; none of them is answered.
    ///
    /// Not from within an answer.
    func close() {
        timer?.cancel()
        timer = nil
        if let channel { ares_destroy(channel) }
        channel = nil
        for watch in watches.values.joined() { watch.cancel() }
        watches = [:]
    }

    /// Calls `done` once, unless the channel is closed first; it may be called before this returns, as for /etc/hosts.
    func lookUp(_ name: String, _ family: AddressFamily, done: @escaping (LookupResult) -> Void) {
        pending += 1
        var hints = ares_addrinfo_hints()
        hints.ai_family = family == .ipv4 ? AF_INET : AF_INET6
        // The server's order is what round robin is made of.
        hints.ai_flags = ARES_AI_NOSORT
        let lookup = Unmanaged.passRetained(Lookup(channel: self, done: done))
        ares_getaddrinfo(
            channel, name, nil, &hints,
            { context, status, _, found in
                Unmanaged<Lookup>.fromOpaque(context!).takeRetainedValue().finished(status, found)
            }, lookup.toOpaque())
        scheduleTimeout()
    }

    // MARK: Events

    private func watch(_ descriptor: Int32, reads: Bool, writes: Bool) {
        for watch in watches.removeValue(forKey: descriptor) ?? [] { watch.cancel() }
        var wanted: [ControlWatch] = []
        if reads {
            wanted.append(loop.watch(fd: descriptor) { [unowned self] in process(descriptor, ARES_SOCKET_BAD) })
        }
        if writes {
            wanted.append(loop.watch(writing: descriptor) { [unowned self] in process(ARES_SOCKET_BAD, descriptor) })
        }
        if !wanted.isEmpty { watches[descriptor] = wanted }
    }

    private func process(_ readable: Int32, _ writable: Int32) {
        ares_process_fd(channel, readable, writable)
        scheduleTimeout()
    }

    private func scheduleTimeout() {
        timer?.cancel()
        timer = nil
        guard channel != nil else { return }
        var wait = timeval()
        guard ares_timeout(channel, nil, &wait) != nil else { return }
        let seconds = Double(wait.tv_sec) + Double(wait.tv_usec) / 1e6
        timer = loop.schedule(after: seconds) { [unowned self] in process(ARES_SOCKET_BAD, ARES_SOCKET_BAD) }
    }

    // MARK: Answers

    private final class Lookup {
        private let channel: DNSChannel
        private let done: (LookupResult) -> Void

        init(channel: DNSChannel, done: @escaping (LookupResult) -> Void) {
            self.channel = channel
            self.done = done
        }

        func finished(_ status: Int32, _ found: UnsafeMutablePointer<ares_addrinfo>?) {
            defer { if let found { ares_freeaddrinfo(found) } }
            channel.pending -= 1
            switch status {
            case ARES_SUCCESS: done(DNSChannel.result(found))
            case ARES_ENODATA, ARES_ENOTFOUND: done(.none(DNSChannel.text(status)))
            // The channel is being closed.
            case ARES_EDESTRUCTION, ARES_ECANCELLED: break
            default: done(.failed(DNSChannel.text(status)))
            }
        }
    }

    private static func result(_ found: UnsafeMutablePointer<ares_addrinfo>?) -> LookupResult {
        var addresses: [EndpointTarget] = []
        var ttl = Int32.max
        var node = found?.pointee.nodes
        while let entry = node?.pointee, addresses.count < maxAddresses {
            if let address = EndpointTarget(entry.ai_addr), !addresses.contains(address) { addresses.append(address) }
            ttl = min(ttl, entry.ai_ttl)
            node = entry.ai_next
        }
        // An alias may change sooner than what it leads to.
        var alias = found?.pointee.cnames
        while let entry = alias?.pointee {
            ttl = min(ttl, entry.ttl)
            alias = entry.next
        }
        if addresses.isEmpty { return .none(text(ARES_ENODATA)) }
        return .addresses(addresses, ttlSeconds: Int(max(ttl, 0)))
    }

    private static func text(_ status: Int32) -> String {
        switch status {
        case ARES_ENOTFOUND: "there is no such name (NXDOMAIN)"
        case ARES_ENODATA: "the name has no address"
        case ARES_EFORMERR: "the name server did not understand the question (FORMERR)"
        case ARES_ETIMEOUT: "no name server answered in time"
        // c-ares tries the next server after SERVFAIL, REFUSED and NOTIMP, and says so when there is none left.
        case ARES_ECONNREFUSED: "no name server answers: it fails, refuses (SERVFAIL, REFUSED), or cannot be reached"
        case ARES_EBADRESP: "the name server's answer is malformed"
        case ARES_EBADNAME: "this cannot be a domain name"
        default: String(cString: ares_strerror(status))
        }
    }
}

extension EndpointTarget {
    /// The address of a socket address; `nil` for families other than IP.
    fileprivate init?(_ address: UnsafeMutablePointer<sockaddr>?) {
        guard let address else { return nil }
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let number = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
            self = .ipv4(number)
        case AF_INET6:
            let bytes = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self).sin6_addr
            self = withUnsafeBytes(of: bytes) {
                .ipv6($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
        default: return nil
        }
    }
}

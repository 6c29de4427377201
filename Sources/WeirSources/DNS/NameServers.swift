import WeirEngine

/// The name servers of the moment: asks those that resolv.conf names now.
///
/// Control thread only.
final class NameServers {
    private let loop: ControlLoop
    private let options: NameResolverOptions
    private var current: DNSChannel?
    /// What resolv.conf was when `current` read it.
    private var stamp: PathState?
    /// Of earlier contents, until their last lookup has ended.
    private var former: [DNSChannel] = []
    private var sweep: ControlWatch?

    init(loop: ControlLoop, options: NameResolverOptions) {
        self.loop = loop
        self.options = options
    }

    /// Calls `done` once, unless closed first; perhaps before this returns.
    func lookUp(_ name: String, _ family: AddressFamily, done: @escaping (LookupResult) -> Void) {
        do throws(SourceError) {
            try channel().lookUp(name, family) { [unowned self] result in
                sweepLater()
                done(result)
            }
        } catch {
            done(.failed("names cannot be looked up here: \(error.description)"))
        }
    }

    func close() {
        sweep?.cancel()
        sweep = nil
        for channel in former { channel.close() }
        former = []
        current?.close()
        current = nil
    }

    private func channel() throws(SourceError) -> DNSChannel {
        let state = PathState(of: options.resolvConf)
        if let current, state == stamp { return current }
        let channel = try DNSChannel(loop: loop, options: options)
        if let current { former.append(current) }
        current = channel
        stamp = state
        sweepLater()
        return channel
    }

    /// A channel is not closed by its own answer.
    private func sweepLater() {
        guard !former.isEmpty, sweep == nil else { return }
        sweep = loop.schedule(after: 0) { [unowned self] in
            sweep = nil
            for channel in former where channel.pending == 0 { channel.close() }
            former.removeAll { $0.pending == 0 }
        }
    }
}

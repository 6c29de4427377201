import Glibc

/// The sockets the workers accept on: opened here or inherited, given to the workers, offered to a successor.
///
/// Control thread only, but for the lock's sake.
final class ListenerSockets: Sendable {
    /// Sockets of one port up to which one with another number of workers than its predecessor adds some; it closes none.
    static let maxPerPort = 256

    /// A listener the workers do not have yet.
    struct Opened: Sendable {
        var slot: Int
        var address: SocketAddress
        /// Shared out among the workers in turn.
        var sockets: [Int32]
        /// What its connections count against.
        var permits: ListenerPermits
    }

    private struct State {
        /// A slot is not used twice.
        var nextSlot = 0
        /// Local ports this process or its predecessor has listened on; a socket of ours may still be closing there.
        var ownPorts: Set<Int> = []
        /// By slot, what a successor is offered; the workers own the descriptors.
        var open: [Int: [Int32]] = [:]
        /// What may not be accepted on yet; `nil` = everything may.
        var held: [Opened]?
        var inherited: InheritedSockets?
        var isDraining = false
    }

    private let mailboxes: [Mailbox<WorkerMessage>]
    private let clients: Permits
    private let clientsPerListener: Int
    private let state = Guarded(State())

    init(mailboxes: [Mailbox<WorkerMessage>], limits: ConnectionLimits) {
        self.mailboxes = mailboxes
        clients = Permits(limit: limits.clients)
        clientsPerListener = limits.clientsPerListener
    }

    /// From now on ports are taken over where they are among these, and nothing is accepted until `beginAccepting`.
    func inherit(_ sockets: InheritedSockets) {
        let ports = sockets.ports
        state.withLock {
            $0.inherited = sockets
            $0.held = []
            $0.ownPorts.formUnion(ports)
        }
    }

    // MARK: Opening

    /// Inherits or opens the sockets of a local port; `bind` `nil` = every address.
    func open(bind: String?, localPort: Int) throws(SocketError) -> Opened {
        let address = try Self.address(bind: bind, localPort: localPort)
        // A reload while the process is ending changes routes, never listeners.
        guard !state.withLock({ $0.isDraining }) else {
            throw SocketError(operation: "listen on port \(localPort) while draining", code: ESHUTDOWN)
        }
        var sockets = state.withLock { $0.inherited }?.takeGateway(at: address) ?? []
        if sockets.isEmpty { sockets = try listen(address, localPort) }
        let slot = state.withLock { state in
            defer { state.nextSlot += 1 }
            state.ownPorts.insert(localPort)
            state.open[state.nextSlot] = sockets
            return state.nextSlot
        }
        let permits = ListenerPermits(process: clients, limit: clientsPerListener)
        return Opened(slot: slot, address: address, sockets: sockets, permits: permits)
    }

    private static func address(bind: String?, localPort: Int) throws(SocketError) -> SocketAddress {
        guard let port = UInt16(exactly: localPort), port > 0 else {
            throw SocketError(operation: "listen on port \(localPort)", code: EINVAL)
        }
        guard let bind else { return Socket.anyAddress(port: port) }
        guard let address = SocketAddress(numericHost: bind, port: port) else {
            throw SocketError(operation: "listen on \(bind):\(port)", code: EAFNOSUPPORT)
        }
        return address
    }

    /// One socket a worker on the same port.
    private func listen(_ address: SocketAddress, _ localPort: Int) throws(SocketError) -> [Int32] {
        // Without SO_REUSEPORT first: another process on the port must show as an error, not share it silently. Where we
        // have listened before (a changed bind, a port that comes back) our own sockets would be in the way.
        if !state.withLock({ $0.ownPorts.contains(localPort) }) {
            Socket.close(try Socket.listen(address, shared: false))
        }
        var sockets: [Int32] = []
        do throws(SocketError) {
            for _ in mailboxes { sockets.append(try Socket.listen(address, shared: true)) }
        } catch {
            for socket in sockets { Socket.close(socket) }
            throw error
        }
        return sockets
    }

    // MARK: To the workers

    /// Gives the workers their sockets, now or when accepting begins.
    func give(_ opened: [Opened]) {
        let isHeld = state.withLock { state in
            state.held?.append(contentsOf: opened)
            return state.held != nil
        }
        if isHeld { return }
        for listener in opened { post(listener) }
    }

    /// The configuration is in force and good: takes what the predecessor had, and closes what nobody needs.
    func beginAccepting() {
        let (held, inherited) = state.withLock { state in
            defer { (state.held, state.inherited) = (nil, nil) }
            return (state.held ?? [], state.inherited)
        }
        for listener in held {
            var listener = listener
            fillUp(&listener)
            post(listener)
        }
        inherited?.closeRest()
    }

    /// Opens further sockets until each worker has as many as the others: they get connections in equal shares.
    ///
    /// None is closed, as that would reset what is queued there.
    private func fillUp(_ listener: inout Opened) {
        let missing = (mailboxes.count - listener.sockets.count % mailboxes.count) % mailboxes.count
        guard missing > 0, listener.sockets.count + missing <= Self.maxPerPort else { return }
        for _ in 0..<missing {
            // The workers are served less evenly without it, and no connection is lost.
            guard let socket = try? Socket.listen(listener.address, shared: true) else { break }
            listener.sockets.append(socket)
        }
        state.withLock { $0.open[listener.slot] = listener.sockets }
    }

    private func post(_ listener: Opened) {
        for (place, socket) in listener.sockets.enumerated() {
            mailboxes[place % mailboxes.count].post(
                .listen(socket: socket, slot: listener.slot, permits: listener.permits))
        }
    }

    /// A listener has left the configuration.
    func close(slot: Int) {
        let held = state.withLock { state in
            state.open[slot] = nil
            let listener = state.held?.first { $0.slot == slot }
            state.held?.removeAll { $0.slot == slot }
            return listener
        }
        if let held {
            for socket in held.sockets { Socket.close(socket) }
        } else {
            for mailbox in mailboxes { mailbox.post(.unlisten(slot: slot)) }
        }
    }

    // MARK: To a successor

    /// Every socket that is open, slot by slot.
    var offered: [(slot: Int, socket: OfferedSocket)] {
        state.withLock { state in
            state.open.sorted { $0.key < $1.key }.flatMap { slot, sockets in
                sockets.map { (slot, OfferedSocket(.gateway, $0)) }
            }
        }
    }

    /// Nothing is opened or offered any more.
    func beginDrain() {
        state.withLock {
            $0.isDraining = true
            $0.open = [:]
        }
    }

    /// What no worker was given.
    func closeHeld() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held ?? []
        }
        for listener in held { for socket in listener.sockets { Socket.close(socket) } }
    }
}

import Glibc

/// Accepts connections of one listening socket on one loop.
final class Acceptor: LoopSource {
    /// Connections taken in one wake-up, so that a flood of them cannot starve the ones being served.
    static let acceptsPerTick = 64
    /// Pause after the process ran out of descriptors or memory, in milliseconds.
    static let exhaustedPauseMilliseconds = 50

    private unowned(unsafe) let owner: any AcceptorOwner
    /// What the owner knows this listener by.
    let slot: Int
    let socket: Int32
    private var isClosed = false

    /// Takes over the listening socket.
    init(loop: Loop, socket: Int32, slot: Int, owner: any AcceptorOwner) {
        self.owner = owner
        self.slot = slot
        self.socket = socket
        super.init(loop: loop)
        attach(socket)
        startReading()
    }

    override func readReady() { accept(limit: Self.acceptsPerTick) }
    override func deadlinePassed() { startReading() }

    private func accept(limit: Int) {
        for _ in 0..<limit {
            switch Socket.accept(socket) {
            case nil: return
            case .success(let accepted): owner.accepted(accepted.descriptor, from: accepted.peer, slot: slot)
            case .failure:
                // Out of descriptors or memory: the queue stays readable, so wait instead of spinning.
                stopReading()
                setDeadline(afterMilliseconds: Self.exhaustedPauseMilliseconds)
                return
            }
        }
    }

    /// Takes what the kernel has queued already, then closes: closing first would reset those connections.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        accept(limit: Int(Socket.listenBacklog))
        detach()
        Socket.close(socket)
    }

    /// Lets the socket go as it is: another process goes on with what is queued there.
    func leave() {
        guard !isClosed else { return }
        isClosed = true
        // The socket lives on, so the kernel would go on telling of it.
        detach()
        Socket.close(socket)
    }

    deinit {
        if !isClosed {
            detach()
            Socket.close(socket)
        }
    }
}

/// Who receives the connections of an acceptor, on the same loop.
protocol AcceptorOwner: AnyObject {
    /// Takes over the descriptor.
    func accepted(_ descriptor: Int32, from peer: SocketAddress, slot: Int)
}

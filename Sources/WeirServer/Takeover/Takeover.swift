import Glibc
import Logging
import WeirEngine

/// `--takeover PATH`: what this process gets from the one before it, and hands to the one after it.
///
/// Control thread only. The predecessor serves until this process does; then it accepts no more, while what is queued at the
/// sockets, which both have, is accepted here. So no connection is refused or lost.
final class Takeover {
    private let path: String
    private let engine: Engine
    private let servers: LocalServers
    private let loop: ControlLoop
    private let log: Logger
    private let shutdown: Shutdown
    private var predecessor: Predecessor?
    private var farewell: PredecessorFarewell?
    private var door: TakeoverDoor?
    /// What the successor that is starting was offered.
    private var offer: [(slot: Int?, socket: OfferedSocket)] = []
    /// The file at the path is this process's to remove.
    private var ownsPath = false

    init(
        path: String, engine: Engine, servers: LocalServers, shutdown: Shutdown, loop: ControlLoop, log: Logger
    ) {
        self.path = path
        self.engine = engine
        self.servers = servers
        self.loop = loop
        self.log = log
        self.shutdown = shutdown
    }

    /// Before anything is listened on: gets the sockets of whoever serves.
    func begin() throws(TakeoverError) {
        try TakeoverPath.check(path)
        guard let predecessor = try Predecessor.find(at: path) else { return }
        self.predecessor = predecessor
        engine.inherit(predecessor.sockets)
        servers.inherit(predecessor.sockets)
        log.info("taking over from the process that serves", metadata: ["path": "\(path)"])
    }

    /// The first configuration is in force: accepts, tells the predecessor, and waits for a successor.
    ///
    /// Throws when the predecessor no longer expects it, and so goes on.
    func becameReady() throws(TakeoverError) {
        guard let predecessor else { return openDoor(inherited: nil) }
        try predecessor.confirm()
        let door = predecessor.sockets.takeDoor()
        engine.beginAccepting()
        servers.beginAccepting()
        self.predecessor = nil
        farewell = predecessor.release(on: loop) { [unowned self] error in
            farewell = nil
            if let error {
                log.error("the takeover is not complete: \(error)")
            } else {
                log.notice("taken over", metadata: ["path": "\(path)"])
            }
            openDoor(inherited: door)
        }
    }

    private func openDoor(inherited: Int32?) {
        do throws(TakeoverError) {
            let descriptor = if let inherited { inherited } else { try TakeoverPath.listen(path) }
            ownsPath = true
            door = TakeoverDoor(
                descriptor, loop: loop, log: log, offer: { [unowned self] in collectOffer() },
                handOver: { [unowned self] in handOver($0) })
            log.info("a successor can take over", metadata: ["path": "\(path)"])
        } catch {
            log.error("no successor can take over: \(error)")
        }
    }

    private func collectOffer() -> [OfferedSocket] {
        offer = engine.offeredSockets.map { ($0.slot, $0.socket) } + servers.offeredSockets.map { (nil, $0) }
        return offer.map(\.socket)
    }

    private func handOver(_ kept: [Bool]) {
        var slots: Set<Int> = []
        var own: Set<Int32> = []
        var isHealthLeft = false
        for (offered, isKept) in zip(offer, kept) {
            if let slot = offered.slot {
                if isKept { slots.insert(slot) }
            } else if isKept {
                own.insert(offered.socket.descriptor)
            } else if offered.socket.role == .health {
                isHealthLeft = true
            }
        }
        ownsPath = false
        door?.close()
        door = nil
        servers.handOver(own)
        shutdown.handOver(slots, failsReadiness: isHealthLeft)
    }

    /// The process ends: nobody can take over any more, and the file goes unless it is the successor's.
    func stop() {
        farewell?.cancel()
        farewell = nil
        door?.close()
        door = nil
        if ownsPath { unlink(path) }
        ownsPath = false
    }
}

import CWeir
import Glibc
import Logging
import WeirEngine

/// Where a successor asks for this process's sockets, and says when it serves.
///
/// Control thread only. One successor at a time; until it is ready, nothing changes for this process.
final class TakeoverDoor {
    /// How long a successor may take for each question.
    static let questionSeconds = 5.0
    /// How long a successor may take to load its configuration.
    static let readySeconds = 60.0

    private enum Session {
        case none
        /// `rest`: sockets it has not been given yet.
        case giving(TakeoverChannel, rest: ArraySlice<OfferedSocket>, watches: [ControlWatch])
        case loading(TakeoverChannel, watches: [ControlWatch])

        var watches: [ControlWatch] {
            switch self {
            case .none: []
            case .giving(_, _, let watches), .loading(_, let watches): watches
            }
        }

        var channel: TakeoverChannel? {
            switch self {
            case .none: nil
            case .giving(let channel, _, _), .loading(let channel, _): channel
            }
        }
    }

    private let descriptor: Int32
    private let questionSeconds: Double
    private let readySeconds: Double
    private let loop: ControlLoop
    private let log: Logger
    /// The sockets to give, the door's own not among them.
    private let offer: () -> [OfferedSocket]
    /// A successor serves; by place among what was offered, whether it has kept a socket.
    private let handOver: ([Bool]) -> Void
    private var listening: ControlWatch?
    private var session = Session.none

    /// Takes over a listening socket.
    init(
        _ descriptor: Int32, loop: ControlLoop, log: Logger, offer: @escaping () -> [OfferedSocket],
        handOver: @escaping ([Bool]) -> Void, questionSeconds: Double = questionSeconds,
        readySeconds: Double = readySeconds
    ) {
        self.descriptor = descriptor
        self.questionSeconds = questionSeconds
        self.readySeconds = readySeconds
        self.loop = loop
        self.log = log
        self.offer = offer
        self.handOver = handOver
        listening = loop.watch(fd: descriptor) { [unowned self] in accept() }
    }

    deinit { Glibc.close(descriptor) }

    /// Whoever asks from now on finds nobody; a successor that has sockets keeps them.
    func close() {
        listening?.cancel()
        listening = nil
        endSession()
    }

    private func accept() {
        let accepted = weir_accept4(descriptor, nil, nil)
        guard accepted >= 0 else { return }
        let channel: TakeoverChannel
        do throws(TakeoverError) {
            channel = try TakeoverChannel(adopting: accepted)
        } catch {
            return log.warning("a process that asked for the sockets was turned away: \(error)")
        }
        guard case .none = session else {
            // It may have gone; then there is nobody to tell.
            try? channel.send(.refused("another process is taking over at this moment"))
            return
        }
        session = .giving(channel, rest: [], watches: watches(channel, questionSeconds))
    }

    private func watches(_ channel: TakeoverChannel, _ seconds: Double) -> [ControlWatch] {
        [
            loop.watch(fd: channel.descriptor) { [unowned self] in read() },
            loop.schedule(after: seconds) { [unowned self] in giveUp("nothing was heard of it for \(seconds) seconds")
            },
        ]
    }

    private func read() {
        guard let channel = session.channel else { return }
        do throws(TakeoverError) {
            switch try channel.receive() {
            case .message(let message, let descriptors):
                // Nobody has a reason to send one here.
                for descriptor in descriptors { Glibc.close(descriptor) }
                try received(message, channel)
            case .nothing: break
            case .end:
                endSession()
                log.warning("the process that was to take over ended before it was ready; serving on")
            }
        } catch {
            giveUp(error.description)
        }
    }

    private func received(_ message: TakeoverMessage, _ channel: TakeoverChannel) throws(TakeoverError) {
        switch (message, session) {
        case (.hello, .giving(_, let rest, _)) where rest.isEmpty:
            log.info("another process asks for the sockets")
            try give(offered(), channel)
        case (.next, .giving(_, let rest, _)) where !rest.isEmpty:
            try give(rest, channel)
        case (.ready(let kept), .loading):
            endSession()
            handOver(kept)
            // What matters is done; one that has ended again cannot be told.
            try? channel.send(.released)
        default:
            throw TakeoverError("a message came out of turn")
        }
    }

    private func offered() throws(TakeoverError) -> ArraySlice<OfferedSocket> {
        // The door goes last, so that places among the others are as in `offer`.
        let sockets = offer() + [OfferedSocket(.takeover, descriptor)]
        guard sockets.count <= TakeoverMessage.maxSockets else {
            throw TakeoverError("\(sockets.count) sockets are more than can be handed over")
        }
        return sockets[...]
    }

    private func give(_ sockets: ArraySlice<OfferedSocket>, _ channel: TakeoverChannel) throws(TakeoverError) {
        let batch = sockets.prefix(TakeoverMessage.socketsPerMessage)
        let rest = sockets.dropFirst(batch.count)
        try channel.send(.sockets(batch.map(\.role), more: !rest.isEmpty), batch.map(\.descriptor))
        endSession()
        session =
            rest.isEmpty
            ? .loading(channel, watches: watches(channel, readySeconds))
            : .giving(channel, rest: rest, watches: watches(channel, questionSeconds))
    }

    private func giveUp(_ reason: String) {
        // It may have gone; then there is nobody to tell.
        try? session.channel?.send(.refused(reason))
        endSession()
        log.warning("a takeover failed; serving on", metadata: ["reason": "\(reason)"])
    }

    /// The channel is closed when nobody refers to it any more.
    private func endSession() {
        for watch in session.watches { watch.cancel() }
        session = .none
    }
}

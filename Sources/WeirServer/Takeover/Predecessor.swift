import Glibc
import WeirEngine

/// The process that serves while this one starts: gives its sockets, and is told when it is no longer needed.
///
/// Control thread only.
final class Predecessor {
    /// How long the predecessor may take for each answer.
    static let answerSeconds = 5.0

    let sockets: InheritedSockets
    private let channel: TakeoverChannel

    private init(_ channel: TakeoverChannel, _ sockets: InheritedSockets) {
        self.channel = channel
        self.sockets = sockets
    }

    /// Asks for the sockets of whoever serves at the path; `nil` when nobody does.
    ///
    /// Waits for the answers.
    static func find(at path: String, answerSeconds: Double = answerSeconds) throws(TakeoverError) -> Predecessor? {
        guard let descriptor = try TakeoverPath.connect(path) else { return nil }
        let channel = try TakeoverChannel(adopting: descriptor)
        var offered: [OfferedSocket] = []
        do throws(TakeoverError) {
            try collect(channel, &offered, answerSeconds)
        } catch {
            for socket in offered { close(socket.descriptor) }
            throw TakeoverError("no sockets from the process that listens at \(path): \(error)")
        }
        return Predecessor(channel, InheritedSockets(offered))
    }

    private static func collect(
        _ channel: TakeoverChannel, _ offered: inout [OfferedSocket], _ answerSeconds: Double
    ) throws(TakeoverError) {
        var question = TakeoverMessage.hello
        while true {
            // One that has refused or ended cannot be asked; that is read below.
            try? channel.send(question)
            switch try channel.receive(withinSeconds: answerSeconds) {
            case .message(.sockets(let roles, let more), let descriptors):
                offered += zip(roles, descriptors).map { OfferedSocket($0, $1) }
                for extra in descriptors.dropFirst(roles.count) { close(extra) }
                guard roles.count == descriptors.count, offered.count <= TakeoverMessage.maxSockets else {
                    throw TakeoverError("it sent \(descriptors.count) sockets for \(roles.count)")
                }
                guard more else { return }
                question = .next
            case .message(.refused(let reason), _): throw TakeoverError(reason)
            case .message(_, let descriptors):
                for descriptor in descriptors { close(descriptor) }
                throw TakeoverError("it answered out of turn")
            case .end: throw TakeoverError("it ended")
            case .nothing: throw TakeoverError("it does not answer")
            }
        }
    }

    /// Throws when it has given up on this process, and so goes on serving.
    func confirm() throws(TakeoverError) {
        if case .message(.refused(let reason), _) = try channel.receive() { throw TakeoverError(reason) }
    }

    /// Tells it that this process serves; `done` is called once, with an error when it will go on.
    ///
    /// One that has ended meanwhile is not needed: its sockets are here.
    func release(on loop: ControlLoop, done: @escaping (TakeoverError?) -> Void) -> PredecessorFarewell {
        PredecessorFarewell(channel, kept: sockets.kept, loop: loop, done: done)
    }
}

/// Waits for the predecessor to accept no more.
final class PredecessorFarewell {
    private let channel: TakeoverChannel
    private let done: (TakeoverError?) -> Void
    private var answer: ControlWatch?
    private var deadline: ControlWatch?

    fileprivate init(
        _ channel: TakeoverChannel, kept: [Bool], loop: ControlLoop, done: @escaping (TakeoverError?) -> Void
    ) {
        self.channel = channel
        self.done = done
        // If it has ended, or has given up on this process, that is read below.
        try? channel.send(.ready(kept: kept))
        answer = loop.watch(fd: channel.descriptor) { [unowned self] in read() }
        deadline = loop.schedule(after: Predecessor.answerSeconds) { [unowned self] in
            finish(TakeoverError("the process before does not answer; end it"))
        }
    }

    /// Nothing is called afterwards.
    func cancel() {
        answer?.cancel()
        deadline?.cancel()
        (answer, deadline) = (nil, nil)
    }

    private func read() {
        do throws(TakeoverError) {
            switch try channel.receive() {
            case .message(.released, _), .end: finish(nil)
            case .message(.refused(let reason), _): finish(TakeoverError("the process before goes on: \(reason)"))
            case .message(_, let descriptors): for descriptor in descriptors { close(descriptor) }
            case .nothing: break
            }
        } catch {
            finish(error)
        }
    }

    private func finish(_ error: TakeoverError?) {
        cancel()
        done(error)
    }
}

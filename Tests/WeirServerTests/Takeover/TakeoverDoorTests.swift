import CWeir
import Glibc
import Logging
import Testing
import WeirTestSupport

@testable import WeirEngine
@testable import WeirServer

/// The door of a process that serves, as successors of all kinds meet it.
@Suite struct TakeoverDoorTests {
    /// A door on a loop of its own thread.
    private final class House: Sendable {
        let directory: TemporaryDirectory
        let record = LogRecord()
        private let handle = Guarded<ControlHandle?>(nil)
        private let kept = Guarded<[[Bool]]>([])
        private let crew: TestCrew

        /// Offers the listener this many times.
        init(offering listener: Int32, times: Int = 1, patienceSeconds: Double = 60) throws {
            let directory = try TemporaryDirectory()
            self.directory = directory
            let (record, handle, kept) = (record, handle, kept)
            crew = TestCrew(1) { _ in
                let loop = ControlLoop()
                let door = TakeoverDoor(
                    try TakeoverPath.listen(directory.path("door")), loop: loop, log: record.logger,
                    offer: { [OfferedSocket](repeating: OfferedSocket(.gateway, listener), count: times) },
                    handOver: { list in kept.withLock { $0.append(list) } },
                    questionSeconds: patienceSeconds, readySeconds: patienceSeconds)
                handle.withLock { $0 = loop.handle }
                loop.run()
                door.close()
            }
            try eventually("the door is open") { handle.withLock { $0 != nil } }
        }

        deinit {
            handle.withLock { $0?.stop() }
            // Only a thread that could not be made fails here.
            try? crew.join()
        }

        var path: String { directory.path("door") }
        var handedOver: [[Bool]] { kept.withLock { $0 } }

        func channel() throws -> TakeoverChannel {
            try TakeoverChannel(adopting: try #require(try TakeoverPath.connect(path)))
        }
    }

    private let listener: Int32

    init() throws {
        listener = try Socket.listen(try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)), shared: true)
    }

    private func message(_ channel: TakeoverChannel) throws -> TakeoverMessage? {
        guard case .message(let message, let descriptors) = try channel.receive(withinSeconds: 20) else { return nil }
        for descriptor in descriptors { close(descriptor) }
        return message
    }

    @Test func manySocketsComeInSeveralMessages() throws {
        let house = try House(offering: listener, times: 2 * TakeoverMessage.socketsPerMessage + 3)
        let predecessor = try #require(try Predecessor.find(at: house.path))
        #expect(predecessor.sockets.kept.count == 2 * TakeoverMessage.socketsPerMessage + 4)
        let address = Socket.localAddress(listener)
        let taken = predecessor.sockets.takeGateway(at: address)
        #expect(taken.count == 2 * TakeoverMessage.socketsPerMessage + 3)
        for socket in taken { close(socket) }
        #expect(predecessor.sockets.takeGateway(at: address).isEmpty)
    }

    @Test func nobodyAtAPathIsNoPredecessor() throws {
        let directory = try TemporaryDirectory()
        #expect(try Predecessor.find(at: directory.path("none")) == nil)
    }

    @Test func aSecondSuccessorIsTurnedAwayWhileOneIsLoading() throws {
        let house = try House(offering: listener)
        let first = try #require(try Predecessor.find(at: house.path))
        #expect {
            try Predecessor.find(at: house.path)
        } throws: {
            "\($0)".contains("another process is taking over")
        }
        withExtendedLifetime(first) {}
    }

    @Test func whenASuccessorEndsTheNextOneIsServed() throws {
        let house = try House(offering: listener)
        _ = try Predecessor.find(at: house.path)
        try eventually("the door is free again") { (try? Predecessor.find(at: house.path)) != nil }
        try eventually("the log says so") { house.record.take().contains { $0.contains("ended before it was ready") } }
        #expect(house.handedOver.isEmpty)
    }

    @Test func whatIsKeptIsToldAndAnswered() throws {
        let house = try House(offering: listener, times: 2)
        let channel = try house.channel()
        try channel.send(.hello)
        #expect(try message(channel) == .sockets([.gateway, .gateway, .takeover], more: false))
        try channel.send(.ready(kept: [true, false, true]))
        #expect(try message(channel) == .released)
        #expect(house.handedOver == [[true, false, true]])
    }

    @Test(arguments: [TakeoverMessage.next, .released, .ready(kept: []), .sockets([], more: false)])
    func aWordOutOfTurnEndsTheConversation(word: TakeoverMessage) throws {
        let house = try House(offering: listener)
        let channel = try house.channel()
        try channel.send(word)
        #expect(try message(channel) == .refused("a message came out of turn"))
        #expect(try message(channel) == nil)
        #expect(house.handedOver.isEmpty)
        #expect(try Predecessor.find(at: house.path) != nil, "the door is open for others")
    }

    /// Before its first question, and while it should load its configuration.
    @Test(arguments: [false, true])
    func aSilentSuccessorIsGivenUp(hasAsked: Bool) throws {
        let house = try House(offering: listener, patienceSeconds: 0.02)
        let channel = try house.channel()
        if hasAsked {
            try channel.send(.hello)
            guard case .sockets = try message(channel) else { throw TestSocketError(description: "no sockets") }
        }
        guard case .refused = try message(channel) else { throw TestSocketError(description: "not given up") }
        #expect(house.handedOver.isEmpty)
        try eventually("the log says so") { house.record.take().contains { $0.contains("serving on") } }
    }

    @Test func aSilentPredecessorIsAnError() throws {
        let directory = try TemporaryDirectory()
        let silent = try TakeoverPath.listen(directory.path("door"))
        defer { close(silent) }
        #expect {
            try Predecessor.find(at: directory.path("door"), answerSeconds: 0.02)
        } throws: {
            "\($0)".contains("does not answer")
        }
    }

    @Test func rubbishIsRefused() throws {
        let house = try House(offering: listener)
        let channel = try house.channel()
        let bytes = Array("GET / HTTP/1.1\r\n\r\n".utf8)
        #expect(weir_send_descriptors(channel.descriptor, bytes, bytes.count, nil, 0) == bytes.count)
        guard case .refused = try message(channel) else { throw TestSocketError(description: "not refused") }
        #expect(try Predecessor.find(at: house.path) != nil)
    }

    @Test func longPacketsAreRefused() throws {
        let house = try House(offering: listener)
        let channel = try house.channel()
        let bytes = [UInt8](repeating: 1, count: TakeoverMessage.maxBytes + 1)
        #expect(weir_send_descriptors(channel.descriptor, bytes, bytes.count, nil, 0) == bytes.count)
        guard case .refused = try message(channel) else { throw TestSocketError(description: "not refused") }
    }

    @Test func whatIsNoListeningSocketIsNotInherited() throws {
        let pipes = [weir_packet_socket(), weir_eventfd()]
        let inherited = InheritedSockets(pipes.map { OfferedSocket(.admin, $0) })
        #expect(inherited.kept == [false, false])
        #expect(fcntl(pipes[0], F_GETFD) == -1 && fcntl(pipes[1], F_GETFD) == -1, "both are closed")
    }
}

import Testing
import WeirTestSupport

@testable import WeirEngine

/// A worker that waits finds the connection that another has to spare, on workers that go one after the other.
@Suite struct SpareConnectionTests {
    /// Workers of one cluster on the test's thread.
    private final class Crew {
        let workers: [Worker]
        let shared: ClusterShared
        private let mailboxes: [Mailbox<WorkerMessage>]
        private let connections: [MemoryServerConnection]

        init(_ count: Int, origin: OriginServer, _ limit: (inout ClusterLimits) -> Void) {
            let mailboxes = (0..<count).map { _ in Mailbox<WorkerMessage>() }
            let workers = mailboxes.enumerated().map { index, mailbox in
                Worker(
                    index: index, mailbox: mailbox, serverName: ServerName("weir"),
                    retired: RetiredSnapshots(notify: {}))
            }
            shared = ClusterShared(workers: count)
            let snapshot = MemoryServerConnection.snapshot(origin: origin.port, shared) { limit(&$0.limits) }
            for (worker, mailbox) in zip(workers, mailboxes) {
                worker.peers = mailboxes
                mailbox.post(.adopt(snapshot, slots: [0], ticket: AdoptionTicket(workers: 1) {}))
                worker.loop.tick(wait: true)
            }
            (self.mailboxes, self.workers) = (mailboxes, workers)
            connections = workers.map { MemoryServerConnection(worker: $0) }
        }

        deinit {
            for (worker, mailbox) in zip(workers, mailboxes) {
                mailbox.post(.stop)
                worker.run()
            }
        }

        /// A request that this worker has, and the others know nothing of yet.
        func ask(_ worker: Int, stream: Int, _ path: String) -> MemoryServerStream {
            let request = connections[worker].open(stream: stream, path: path, hasBody: false)
            request.grant(100)
            return request
        }

        /// Lets all work until the condition holds.
        func run(until what: String, _ condition: () -> Bool) throws {
            try eventually(what) {
                for worker in workers { worker.loop.tick(wait: false) }
                return condition()
            }
        }
    }

    @Test func whereTheFirstThatIsAskedNeedsItsOwnAnotherGivesOne() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let crew = Crew(3, origin: origin.origin) { $0.connections = 2 }
        for worker in 1...2 {
            let request = crew.ask(worker, stream: 0, "/a")
            try crew.run(until: "it is answered") { request.ended }
        }
        #expect(crew.shared.limits.connections.now == 2)
        // It asks the worker behind it, whose connection is in use when that hears of it.
        let waiting = crew.ask(0, stream: 0, "/b")
        let held = crew.ask(1, stream: 1, "/hold")
        try crew.run(until: "the one that waits is answered") { waiting.ended }
        #expect(!held.ended && crew.shared.limits.connections.now == 2)
        origin.release()
        try crew.run(until: "the other is answered") { held.ended }
        #expect(crew.shared.limits.pending.now == 0 && crew.shared.limits.requests.now == 0)
    }

    @Test func ofSeveralThatAskTheSameOneEachIsServed() throws {
        let origin = try HoldingOrigin()
        defer { origin.stop() }
        let crew = Crew(4, origin: origin.origin) { $0.connections = 2 }
        for worker in 2...3 {
            let request = crew.ask(worker, stream: 0, "/a")
            try crew.run(until: "it is answered") { request.ended }
        }
        // Both ask the third, which has one.
        let waiting = (0..<2).map { crew.ask($0, stream: 0, "/hold") }
        try crew.run(until: "both are under way") { origin.served.filter { $0 == "/hold" }.count == 2 }
        origin.release(2)
        try crew.run(until: "both are answered") { waiting.allSatisfy(\.ended) }
        #expect(crew.shared.limits.connections.now == 2 && origin.origin.acceptedConnections == 4)
    }
}

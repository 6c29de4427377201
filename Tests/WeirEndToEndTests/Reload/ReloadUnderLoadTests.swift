import Synchronization
import Testing
import WeirTestSupport

/// Weights change while requests run: none may fail, be mixed up, or be routed by what is no longer in force.
@Suite struct ReloadUnderLoadTests {
    /// What the clients and the writer of the files tell each other.
    private final class Progress: Sendable {
        /// Requests answered.
        let answered = Atomic(0)
        /// The newest generation a client was routed by.
        let seen = Atomic(0)
        /// A generation all workers have been serving; older ones must not be seen by requests that follow.
        let floor = Atomic(0)
        let isDone = Atomic(false)
        let failed = Atomic(false)

        /// Checks one answer's backend against what may be in force.
        func judge(_ backend: UInt32, floor: Int, changes: Int) throws {
            answered.add(1, ordering: .relaxed)
            guard let generation = WeightSchedule.generation(markedBy: backend) else {
                guard backend != WeightSchedule.v1 || floor < changes else {
                    throw TestSocketError(description: "a request for v1, whose weight has become 0")
                }
                return
            }
            guard generation >= floor else {
                throw TestSocketError(description: "routed by generation \(generation) when \(floor) was in force")
            }
            seen.max(generation, ordering: .relaxed)
        }
    }

    @Test func hundredThousandRequestsSurviveFiftyWeightChanges() throws {
        let (requests, changes) = TestScale.isSmall ? (10_000, 10) : (100_000, 50)
        let stage = try start(changes: changes)
        let progress = Progress()
        let port = try stage.server.port()
        let clients = TestCrew(8) { number in
            defer { progress.failed.store(!progress.isDone.load(ordering: .relaxed), ordering: .relaxed) }
            var client = try LoadClient(port: port)
            var sent = 0
            while sent < requests / 8 || !progress.isDone.load(ordering: .relaxed) {
                let floor = progress.floor.load(ordering: .acquiring)
                let backend = try client.backend(of: "/client-\(number)/request-\(sent)")
                try progress.judge(backend, floor: floor, changes: changes)
                sent += 1
            }
        }
        let edits = Result { try edit(stage, progress, requests: requests) }
        progress.isDone.store(true, ordering: .relaxed)
        try clients.join()
        try edits.get()
        let answered = progress.answered.load(ordering: .relaxed)
        #expect(answered >= requests)
        #expect(stage.server.generation == UInt64(changes + 1))
        #expect(try stage.server.status().errors.isEmpty)
        print("reload under load: \(answered) requests over 8 connections, \(changes) weight changes, none failed")
    }

    @Test func freshConnectionsSurviveWeightChanges() throws {
        let (requests, changes) = TestScale.isSmall ? (800, 5) : (4_000, 20)
        let stage = try start(changes: changes)
        let progress = Progress()
        let port = try stage.server.port()
        let clients = TestCrew(8) { number in
            defer { progress.failed.store(!progress.isDone.load(ordering: .relaxed), ordering: .relaxed) }
            var sent = 0
            while sent < requests / 8 || !progress.isDone.load(ordering: .relaxed) {
                let floor = progress.floor.load(ordering: .acquiring)
                var client = try LoadClient(port: port)
                let backend = try client.backend(of: "/client-\(number)/connection-\(sent)")
                try progress.judge(backend, floor: floor, changes: changes)
                sent += 1
            }
        }
        let edits = Result { try edit(stage, progress, requests: requests) }
        progress.isDone.store(true, ordering: .relaxed)
        try clients.join()
        try edits.get()
        #expect(progress.answered.load(ordering: .relaxed) >= requests)
        #expect(stage.server.generation == UInt64(changes + 1))
    }

    // MARK: Parts

    private struct Stage {
        let server: RunningServer
        let origin: EchoOrigin
        let weights: WeightSchedule
    }

    private func start(changes: Int) throws -> Stage {
        let origin = try EchoOrigin()
        let weights = WeightSchedule(changes: changes, originPort: origin.port)
        let directory = try TemporaryDirectory()
        try directory.write("1-frame.yaml", weights.frame)
        try directory.write("2-routes.yaml", weights.virtualService(0))
        return Stage(server: try RunningServer.live(directory), origin: origin, weights: weights)
    }

    /// Writes one generation after the other, each when a client was routed by the one before, spread over the load.
    private func edit(_ stage: Stage, _ progress: Progress, requests: Int) throws {
        let changes = stage.weights.changes
        for generation in 1...changes {
            try wait(for: progress, "its share of the load") {
                $0.answered.load(ordering: .relaxed) >= requests * generation / (changes + 1)
            }
            try stage.server.directory.replace("2-routes.yaml", stage.weights.virtualService(generation))
            try wait(for: progress, "generation \(generation) routes a client") {
                $0.seen.load(ordering: .relaxed) >= generation
            }
            try wait(for: progress, "generation \(generation) is live on all workers") { _ in
                stage.server.generation >= UInt64(generation + 1)
            }
            progress.floor.store(generation, ordering: .releasing)
        }
    }

    private func wait(for progress: Progress, _ what: String, _ condition: (Progress) -> Bool) throws {
        try eventually(what, seconds: 60) { condition(progress) || progress.failed.load(ordering: .relaxed) }
        guard !progress.failed.load(ordering: .relaxed) else {
            throw TestSocketError(description: "a client failed before \(what)")
        }
    }
}

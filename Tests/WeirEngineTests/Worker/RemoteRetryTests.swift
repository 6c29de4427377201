import Testing

@testable import WeirEngine

/// `retryRemoteLocalities`: further tries leave the priorities behind that have failed the request twice.
@Suite struct RemoteRetryTests {
    /// The priorities of the endpoints that a request fails at, in order; two endpoints for each of these.
    private static func tried(
        _ priorities: Int, retries: Int, leaves: Bool, avoids: Bool = true, requests: Int = 1
    ) throws -> [[Int]] {
        var retry = RetrySpec(retries: retries, conditions: .serverError)
        retry.leavesTriedPriorities = leaves
        retry.avoidsTried = avoids
        retry.backOffMilliseconds = 1
        let worker = try MemoryWorker.serving(retry: retry) { spec in
            spec.endpoints = (0..<2 * priorities).compactMap { index in
                EndpointTarget("192.0.2.\(index)").map { target in
                    var endpoint = ClusterSpec.Endpoint(target, port: 80)
                    endpoint.priority = index / 2
                    return endpoint
                }
            }
        }
        worker.loop.holdTime()
        let connection = MemoryServerConnection(worker: worker)
        return (0..<requests).map { request in
            let stream = connection.open(stream: request, path: "/", hasBody: false)
            var priorities: [Int] = []
            while !stream.ended, priorities.count <= retries {
                guard let index = worker.pools.firstIndex(where: { $0.streams.last?.isAwaited ?? false }) else { break }
                // Pools are made in the order of the endpoints.
                priorities.append(index / 2)
                worker.pools[index].streams.last?.answer(status: 503, last: true)
                worker.loop.advance(milliseconds: 20)
            }
            return priorities
        }
    }

    @Test func afterEverySecondTryThePrioritiesTriedAreLeft() throws {
        #expect(try Self.tried(3, retries: 5, leaves: true) == [[0, 0, 1, 1, 2, 2]])
        #expect(try Self.tried(3, retries: 5, leaves: true, avoids: false) == [[0, 0, 1, 1, 2, 2]])
    }

    @Test func withNoneLeftTheSearchBeginsAnew() throws {
        #expect(try Self.tried(2, retries: 7, leaves: true) == [[0, 0, 1, 1, 0, 0, 1, 1]])
        #expect(try Self.tried(1, retries: 3, leaves: true) == [[0, 0, 0, 0]])
    }

    @Test func theNextRequestBeginsWithTheFirstPriority() throws {
        #expect(try Self.tried(2, retries: 2, leaves: true, requests: 2) == [[0, 0, 1], [0, 0, 1]])
    }

    @Test func withoutItAllTriesGoToTheFirstPriority() throws {
        #expect(try Self.tried(3, retries: 5, leaves: false) == [[0, 0, 0, 0, 0, 0]])
    }
}

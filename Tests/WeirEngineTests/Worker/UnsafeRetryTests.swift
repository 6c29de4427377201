import Testing

@testable import WeirEngine

/// `weir.dev/retry-unsafe: never`: what is not idempotent reaches an upstream once.
@Suite struct UnsafeRetryTests {
    private static let everything = RetryConditions(rawValue: .max)

    /// A request of this method, on a route that retries whatever it can.
    private static func open(
        _ method: MethodToken, spares: Bool = true, retries: Int = 2
    ) throws -> (MemoryWorker, MemoryServerConnection, MemoryPool) {
        var retry = RetrySpec(retries: retries, conditions: everything)
        retry.codes = [503]
        retry.sparesUnsafe = spares
        retry.backOffMilliseconds = 1
        let worker = try MemoryWorker.serving(retry: retry)
        worker.loop.holdTime()
        let connection = MemoryServerConnection(worker: worker)
        _ = connection.open(stream: 1, path: "/", hasBody: false) { $0.method = method }
        return (worker, connection, worker.pools[0])
    }

    private static func statuses(_ connection: MemoryServerConnection) -> [Int] {
        connection.sent.compactMap { if case .head(_, let status) = $0 { status } else { nil } }
    }

    private static let ends: [@Sendable (MemoryClientStream) -> Void] = [
        { $0.answer(status: 503, last: true) }, { $0.fail(.connectionClosed) }, { $0.fail(.remoteReset) },
        { $0.fail(.refusedStream) },
    ]

    @Test(arguments: ends.indices, [MethodToken.post, .patch, .other])
    func whatAnUpstreamMayHaveSeenIsNotSentAgain(end: Int, method: MethodToken) throws {
        let (worker, connection, pool) = try Self.open(method)
        Self.ends[end](pool.streams[0])
        worker.loop.advance(milliseconds: 100)
        #expect(pool.streams.count == 1 && Self.statuses(connection) == [503])
        #expect(worker.report().sparedRetries == 1 && worker.report().upstreamRetries == 0)
        #expect(worker.report().activeExchanges == 0)
    }

    @Test(arguments: ends.indices, [MethodToken.get, .head, .put, .delete, .options])
    func whatIsIdempotentIsSentAgain(end: Int, method: MethodToken) throws {
        let (worker, connection, pool) = try Self.open(method)
        Self.ends[end](pool.streams[0])
        worker.loop.advance(milliseconds: 100)
        #expect(pool.streams.count == 2)
        pool.streams[1].answer(status: 200, last: true)
        #expect(Self.statuses(connection) == [200] && worker.report().sparedRetries == 0)
    }

    @Test func withoutTheAnnotationEveryMethodIsSentAgain() throws {
        let (worker, _, pool) = try Self.open(.post, spares: false)
        pool.streams[0].fail(.connectionClosed)
        worker.loop.advance(milliseconds: 100)
        #expect(pool.streams.count == 2 && worker.report().sparedRetries == 0)
    }

    @Test func whatWasNotSentIsSentElsewhere() throws {
        let (worker, connection, pool) = try Self.open(.post)
        pool.streams[0].fail(.connectFailure)
        worker.loop.advance(milliseconds: 100)
        pool.streams[1].fail(.connectTimeout)
        worker.loop.advance(milliseconds: 100)
        #expect(pool.streams.count == 3)
        pool.streams[2].answer(status: 200, last: true)
        #expect(Self.statuses(connection) == [200] && worker.report().sparedRetries == 0)
    }

    @Test func whatOneTryHasSentIsNotSentAgainWhenTheNextCannotConnect() throws {
        let (worker, connection, pool) = try Self.open(.post, retries: 3)
        pool.streams[0].fail(.connectFailure)
        worker.loop.advance(milliseconds: 100)
        pool.streams[1].answer(status: 500, last: true)
        worker.loop.advance(milliseconds: 100)
        #expect(pool.streams.count == 2 && Self.statuses(connection) == [500])
        #expect(worker.report().sparedRetries == 1)
    }

    @Test func whereNoTryIsLeftNothingIsSpared() throws {
        let (worker, connection, pool) = try Self.open(.post, retries: 1)
        pool.streams[0].fail(.connectFailure)
        worker.loop.advance(milliseconds: 100)
        pool.streams[1].answer(status: 503, last: true)
        #expect(Self.statuses(connection) == [503] && worker.report().sparedRetries == 0)
    }
}

import Testing

@testable import WeirEngine

/// How long a request may take, and how its upstream is told.
@Suite struct TimeoutTests {
    private static func head(grpcTimeouts: [String] = [], isGRPC: Bool = true) -> RequestHead {
        let head = RequestHead()
        head.isGRPC = isGRPC
        for value in grpcTimeouts {
            var text = value
            text.withUTF8 { head.block.append(.other, "grpc-timeout", copying: UnsafeRawBufferPointer($0)) }
        }
        return head
    }

    private static func lines(_ head: RequestHead) -> [String] {
        head.block.lines.filter { !$0.removed }.map {
            String(decoding: $0.nameBytes, as: UTF8.self) + ": " + String(decoding: $0.valueBytes, as: UTF8.self)
        }
    }

    @Test(arguments: [
        ("1H", 3_600_000), ("2M", 120_000), ("3S", 3000), ("4m", 4), ("5u", 1), ("5000u", 5), ("5001u", 6), ("1n", 1),
        ("99999999H", 359_999_996_400_000), ("0m", 0), ("0n", 0), ("", 0), ("m", 0), ("5", 0), ("5x", 0),
        ("123456789m", 0),
        ("-5m", 0), ("1.5S", 0), (" 5m", 0), ("5 m", 0),
    ])
    func gRPCTimeoutsAreRead(_ text: String, _ milliseconds: UInt64) {
        var text = text
        #expect(text.withUTF8 { RequestTimeout.milliseconds(grpc: UnsafeRawBufferPointer($0)) } == milliseconds)
    }

    @Test(arguments: [
        (0, "0m"), (1, "1m"), (99_999_999, "99999999m"), (100_000_000, "100000S"), (99_999_999_999, "99999999S"),
        (100_000_000_000, "1666666M"), (359_999_996_400_000, "99999999H"), (UInt64.max, "99999999H"),
    ])
    func gRPCTimeoutsAreWrittenInEightDigits(_ milliseconds: UInt64, _ text: String) {
        let (number, unit) = RequestTimeout.grpcText(milliseconds)
        #expect("\(number)\(Character(UnicodeScalar(unit)))" == text)
    }

    @Test(arguments: [
        (0, "200m", 200), (300, "200m", 200), (100, "200m", 100), (100, "0m", 100), (100, "bad", 100), (0, "bad", 0),
    ])
    func theShorterOfRouteAndClientHolds(_ route: UInt32, _ asked: String, _ effective: UInt64) {
        let head = Self.head(grpcTimeouts: [asked])
        defer { head.free() }
        #expect(RequestTimeout.effective(route: route, head) == effective)
    }

    @Test func onlyGRPCClientsAreAsked() {
        let head = Self.head(grpcTimeouts: ["200m"], isGRPC: false)
        defer { head.free() }
        #expect(RequestTimeout.effective(route: 0, head) == 0)
    }

    @Test func twoLinesSayNothing() {
        let head = Self.head(grpcTimeouts: ["200m", "100m"])
        defer { head.free() }
        #expect(RequestTimeout.effective(route: 0, head) == 0)
    }

    @Test func aDeadlineBeyondAYearIsThatOfAYear() {
        let year = 31_536_000_000 as UInt64 * 1_000_000
        #expect(RequestTimeout.deadline(after: 359_999_996_400_000, now: 5) == 5 + year)
        #expect(RequestTimeout.deadline(after: 2, now: 5) == 2_000_005)
    }

    @Test func anUpstreamIsToldInOneLineOfEachKindHoweverManyTriesThereAre() {
        let head = Self.head(grpcTimeouts: ["9S"])
        defer { head.free() }
        head.block.append(.xEnvoyAttemptCount, "x-envoy-attempt-count", value: "1")
        var lines = TryHeaders()
        lines.announce(timeout: 5000, in: head)
        #expect(
            Self.lines(head) == [
                "x-envoy-attempt-count: 1", "x-envoy-expected-rq-timeout-ms: 5000", "grpc-timeout: 5000m",
            ])
        for attempt in 2...1000 as ClosedRange<Int32> {
            lines.number(attempt, in: head)
            lines.announce(timeout: UInt64(5000 - attempt), in: head)
        }
        #expect(
            Self.lines(head) == [
                "x-envoy-expected-rq-timeout-ms: 4000", "grpc-timeout: 4000m", "x-envoy-attempt-count: 1000",
            ])
        #expect(head.block.count == 5)
    }
}

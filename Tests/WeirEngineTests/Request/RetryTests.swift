import Testing

@testable import WeirEngine

/// Which failed tries are repeated, and when.
@Suite struct RetryTests {
    private static func plan(_ conditions: RetryConditions, codes: [UInt16] = [], retries: Int = 2) -> RetryPlan {
        var spec = RetrySpec(retries: retries, conditions: conditions)
        spec.codes = codes
        return RetryPlan(spec, codes: UnsafeBufferPointer(UnsafeMutableBufferPointer<UInt16>(copying: codes)))
    }

    private static func repeats(_ plan: RetryPlan, status: Int, _ lines: [(StaticString, StaticString)] = []) -> Bool {
        let head = ResponseHead()
        defer { head.free() }
        head.status = status
        for (name, value) in lines {
            let token = HeaderName.lookup(name.utf8Start, length: name.utf8CodeUnitCount)
            head.block.append(token, name, value: value)
            head.hasGRPCStatus = head.hasGRPCStatus || token == .grpcStatus
        }
        let isRepeated = plan.repeats(head)
        #expect(!isRepeated || plan.concerns(head), "an answer would not even have been looked at")
        return isRepeated
    }

    private static let everything = RetryConditions(rawValue: .max)

    @Test func theDefaultRepeatsWhatWasNeverSeenByAnUpstream() {
        let plan = Self.plan(RetrySpec.standardConditions)
        for (cause, isRepeated) in [
            (ProxyError.Cause.connectFailure, true), (.connectTimeout, true), (.refusedStream, true),
            (.connectionClosed, false), (.protocolError, false), (.overflow, false),
        ] {
            #expect(plan.repeats(ProxyError(source: .upstream, cause: cause)) == isRepeated, "\(cause)")
        }
        for status in [200, 409, 429, 500, 502, 503, 504] { #expect(!Self.repeats(plan, status: status)) }
    }

    @Test(arguments: [
        ("1", true), ("14", true), ("014", true), ("4", false), ("8", false), ("13", false), ("0", false),
    ])
    func theDefaultRepeatsTheseGRPCStatuses(_ status: String, _ isRepeated: Bool) {
        let plan = Self.plan(RetrySpec.standardConditions)
        let head = ResponseHead()
        defer { head.free() }
        head.status = 200
        head.hasGRPCStatus = true
        var text = status
        text.withUTF8 { head.block.append(.grpcStatus, "grpc-status", copying: UnsafeRawBufferPointer($0)) }
        #expect(plan.concerns(head) && plan.repeats(head) == isRepeated)
    }

    @Test func aGRPCStatusThatCannotBeReadIsNone() {
        let plan = Self.plan(RetrySpec.standardConditions)
        for value: StaticString in ["", "x", "1x", "-1", "140", "999999999999999999999"] {
            let isRepeated = Self.repeats(plan, status: 200, [("grpc-status", value)])
            #expect(!isRepeated, "\(value)")
        }
        let isRepeatedForTwo = Self.repeats(plan, status: 200, [("grpc-status", "0"), ("grpc-status", "14")])
        #expect(!isRepeatedForTwo)
    }

    @Test func eachConditionRepeatsItsStatuses() {
        let expected: [(RetryConditions, [UInt16], Set<Int>)] = [
            (.serverError, [], [500, 502, 503, 504, 599]), (.gatewayError, [], [502, 503, 504]), (.conflict, [], [409]),
            (.statusCodes, [429, 201], [201, 429]), (.statusCodes, [], []), (.reset, [], []),
        ]
        for (condition, codes, statuses) in expected {
            let plan = Self.plan(condition, codes: codes)
            for status in [200, 201, 404, 409, 429, 499, 500, 502, 503, 504, 599] {
                #expect(Self.repeats(plan, status: status) == statuses.contains(status), "\(condition) \(status)")
            }
        }
    }

    @Test func resetsAreRepeatedForTheConditionsThatSaySo() {
        let sent = ProxyError(source: .upstream, cause: .connectionClosed)
        let unsent = ProxyError(source: .upstream, cause: .connectionClosed, isUnsent: true)
        let refused = ProxyError(source: .upstream, cause: .connectFailure)
        let late = ProxyError(source: .upstream, cause: .tryTimeout)
        for condition in [RetryConditions.reset, .serverError, .gatewayError] {
            #expect([sent, unsent, refused, late].allSatisfy { Self.plan(condition).repeats($0) })
        }
        let before = Self.plan(.resetBeforeRequest)
        #expect(!before.repeats(sent) && before.repeats(unsent) && before.repeats(refused) && !before.repeats(late))
        #expect(!Self.plan(.connectFailure).repeats(unsent))
        for condition in [RetryConditions.connectFailure, .refusedStream, .statusCodes, .conflict] {
            #expect(!Self.plan(condition).repeats(late))
        }
    }

    @Test func aRefusedStreamWasSentUnlessNothingOfItHasLeft() {
        let (sent, unsent) = (
            ProxyError(source: .upstream, cause: .refusedStream),
            ProxyError(source: .upstream, cause: .refusedStream, isUnsent: true)
        )
        let before = Self.plan(.resetBeforeRequest)
        #expect(!before.repeats(sent) && before.repeats(unsent))
        #expect(Self.plan(.refusedStream).repeats(sent) && Self.plan(.refusedStream).repeats(unsent))
    }

    @Test func onlyWhatIsMeantToBeTheSameWhenDoneTwiceIsIdempotent() {
        for method in [MethodToken.get, .head, .put, .delete, .options, .trace] { #expect(method.isIdempotent) }
        for method in [MethodToken.post, .patch, .connect, .other] { #expect(!method.isIdempotent) }
    }

    @Test func tooManyConnectionsAreNeverRepeated() {
        #expect(!Self.plan(Self.everything).repeats(ProxyError(source: .upstream, cause: .overflow)))
        #expect(!Self.plan(Self.everything).repeats(ProxyError(source: .internal, cause: .cancelled)))
    }

    @Test func anAnswerThatWasLimitedIsRepeatedOnlyWhereThatIsAskedFor() {
        let line: [(StaticString, StaticString)] = [("x-envoy-ratelimited", "true")]
        #expect(!Self.repeats(Self.plan([.serverError, .statusCodes], codes: [429]), status: 503, line))
        #expect(Self.repeats(Self.plan(.rateLimited), status: 429, line))
        #expect(!Self.repeats(Self.plan(.rateLimited), status: 429))
    }

    @Test func withoutRetriesThereAreNoConditions() {
        let plan = Self.plan(Self.everything, codes: [200], retries: 0)
        #expect(
            !Self.repeats(plan, status: 503) && !plan.repeats(ProxyError(source: .upstream, cause: .connectFailure)))
    }

    @Test func theWaitIsDrawnFromAWindowThatDoublesUpToTenTimesTheBase() {
        let plan = Self.plan(RetrySpec.standardConditions)
        var random = FastRandom(seed: 7)
        for (retry, window) in [(Int32(1), 25), (2, 50), (3, 100), (4, 200), (5, 250), (6, 250), (1000, 250)] {
            let waits = (0..<2000).map { _ in Int(plan.backOff(before: retry, random: &random)) }
            let sum = waits.reduce(0, +)
            #expect(waits.allSatisfy { $0 >= 0 && $0 < window })
            // Five standard deviations of the mean of a uniform draw.
            let tolerance = 5 * Double(window) / 12.0.squareRoot() / 2000.0.squareRoot()
            #expect(abs(Double(sum) / 2000 - Double(window - 1) / 2) < tolerance, "retry \(retry)")
        }
    }

    @Test func aHugeBackOffDoesNotOverflow() {
        var spec = RetrySpec(retries: 9, conditions: .reset)
        spec.backOffMilliseconds = .max
        let plan = RetryPlan(spec, codes: UnsafeBufferPointer(start: nil, count: 0))
        var random = FastRandom(seed: 7)
        #expect(plan.backOff(before: .max, random: &random) <= UInt64(UInt32.max))
    }
}

extension UnsafeMutableBufferPointer {
    /// A copy that lives as long as the process; for constants of a test.
    fileprivate init(copying elements: [Element]) {
        self = .allocate(capacity: elements.count)
        _ = initialize(from: elements)
    }
}

import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// `timeout` and `retries` of a route (semantics 3.10, 3.11).
@Suite struct RetryCompilerTests {
    private typealias F = Fixture

    private static func route(
        _ policy: TrafficPolicy? = nil, _ adjust: (inout HTTPRoute) -> Void
    ) throws -> RouteSpec {
        var rule = F.rule([F.match(prefix: "/a")], to: "alpha")
        adjust(&rule)
        let result = Compiler.make().compile([
            F.entry("alpha"), F.gateway(), F.virtualService([rule]),
            F.destinationRule("alpha", host: "alpha", policy: policy),
        ])
        return try #require(result.snapshot.listeners.first?.hosts.first?.plan.specs.first)
    }

    private static func retry(_ adjust: (inout HTTPRetry) -> Void) throws -> RetrySpec {
        try route { rule in
            var retries = HTTPRetry()
            adjust(&retries)
            rule.retries = retries
        }
        .retry
    }

    @Test func aRouteThatSaysNothingHasTheDefaultAndNoTimeout() throws {
        let route = try Self.route { _ in }
        #expect(route.timeoutMilliseconds == 0)
        #expect(route.retry == .standard && route.retry.retries == 2 && route.retry.backOffMilliseconds == 25)
        #expect(route.retry.conditions == [.connectFailure, .refusedStream, .unavailable, .cancelled, .statusCodes])
        #expect(route.retry.codes.isEmpty && route.retry.avoidsTried)
    }

    @Test func theTimeoutIsTheWritten() throws {
        #expect(try Self.route { $0.timeoutMilliseconds = 1500 }.timeoutMilliseconds == 1500)
        #expect(try Self.route { $0.timeoutMilliseconds = 0 }.timeoutMilliseconds == 0)
    }

    @Test func withoutAttemptsThereAreNoRetries() throws {
        #expect(try Self.retry { _ in }.retries == 0)
        #expect(try Self.retry { $0.attempts = 0 }.retries == 0)
    }

    @Test func attemptsAloneKeepTheDefaultConditions() throws {
        let retry = try Self.retry { $0.attempts = 5 }
        #expect(retry.retries == 5 && retry.conditions == RetrySpec.standardConditions)
    }

    private static let lists: [(String, RetryConditions, [UInt16])] = [
        ("connect-failure", .connectFailure, []),
        ("5xx", .serverError, []),
        ("gateway-error,reset", [.gatewayError, .reset], []),
        ("429,503", .statusCodes, [429, 503]),
        ("retriable-status-codes,418", .statusCodes, [418]),
        ("retriable-4xx", .conflict, []),
        ("reset-before-request,refused-stream", [.resetBeforeRequest, .refusedStream], []),
        ("cancelled,deadline-exceeded", [.cancelled, .deadlineExceeded], []),
        ("resource-exhausted,internal,unavailable", [.resourceExhausted, .internalError, .unavailable], []),
        ("envoy-ratelimited", .rateLimited, []),
        ("retriable-headers,http3-post-connect-failure", [], []),
    ]

    @Test(arguments: Self.lists)
    func conditionsAreTheWritten(_ text: String, _ conditions: RetryConditions, _ codes: [UInt16]) throws {
        let retry = try Self.retry {
            $0.attempts = 1
            $0.retryOn = text
        }
        #expect(retry.conditions == conditions && retry.codes == codes)
    }

    @Test func backOffAndHostsAreTheWritten() throws {
        let retry = try Self.retry {
            $0.attempts = 1
            $0.backoffMilliseconds = 5
            $0.retryIgnorePreviousHosts = false
        }
        #expect(retry.backOffMilliseconds == 5 && !retry.avoidsTried)
    }

    @Test func theTimeOfATryIsTheWritten() throws {
        #expect(try Self.retry { $0.attempts = 1 }.tryTimeoutMilliseconds == 0)
        let retry = try Self.retry {
            $0.attempts = 1
            $0.perTryTimeoutMilliseconds = 250
        }
        #expect(retry.tryTimeoutMilliseconds == 250)
    }

    @Test func aKeyThatLeadsToOneEndpointIsNotLedElsewhereUnlessWritten() throws {
        var policy = TrafficPolicy()
        policy.loadBalancer = TrafficPolicy.LoadBalancer(.leastRequest)
        policy.loadBalancer?.consistentHash = TrafficPolicy.ConsistentHash()
        policy.loadBalancer?.consistentHash?.key = .sourceIP
        #expect(try !Self.route(policy) { _ in }.retry.avoidsTried)
        for written in [nil, true, false] {
            let route = try Self.route(policy) {
                $0.retries = HTTPRetry()
                $0.retries?.attempts = 1
                $0.retries?.retryIgnorePreviousHosts = written
            }
            #expect(route.retry.avoidsTried == written ?? false)
        }
        let two = try Self.route(policy) { $0.route.append($0.route[0]) }
        #expect(two.retry.avoidsTried)
    }
}

import Testing
import WeirConfig

/// Rules of timeout, retries, fault and mirroring.
@Suite struct HTTPFailureRuleTests {
    /// One entry of `http:`, which is line 6 of the file.
    private static func entry(_ fields: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: shop}
        spec:
          hosts: [a.b]
          http: [{route: [{destination: {host: a}}], \(fields)}]
        """
    }

    private static func retries(_ fields: String) -> String { entry("retries: {\(fields)}") }

    private static let timeRules: [Rule] = [
        Rule("a timeout", entry("timeout: 1.5s")),
        Rule("no timeout, said so", entry("timeout: 0s"), ["warning 6 spec.http[0].timeout"]),
        Rule("a part of a millisecond", entry("timeout: 1500us"), ["error 6 spec.http[0].timeout"]),
        Rule("a timeout before the start", entry("timeout: -1s"), ["error 6 spec.http[0].timeout"]),
        Rule("a number", entry("timeout: 5"), ["error 6 spec.http[0].timeout"]),
    ]

    private static let retryRules: [Rule] = [
        Rule(
            "every field",
            retries(
                "attempts: 3, perTryTimeout: 2s, retryOn: \"5xx,503,reset\", retryRemoteLocalities: true, "
                    + "retryIgnorePreviousHosts: false, backoff: 10ms")),
        Rule("none", retries("")),
        Rule("none, said so", retries("attempts: 0")),
        Rule("fewer than none", retries("attempts: -1"), ["error 6 spec.http[0].retries.attempts"]),
        Rule(
            "a condition without attempts", retries("retryOn: 5xx"), ["error 6 spec.http[0].retries.retryOn"]),
        Rule(
            "a time without attempts", retries("attempts: 0, perTryTimeout: 1s"),
            ["error 6 spec.http[0].retries.perTryTimeout"]),
        Rule(
            "localities without attempts", retries("retryRemoteLocalities: false"),
            ["error 6 spec.http[0].retries.retryRemoteLocalities"]),
        Rule("back-off without attempts", retries("backoff: 1s")),
        Rule("a blank", retries("attempts: 1, retryOn: \"5xx, reset\""), ["error 6 spec.http[0].retries.retryOn"]),
        Rule("an empty condition", retries("attempts: 1, retryOn: \"5xx,\""), ["error 6 spec.http[0].retries.retryOn"]),
        Rule("an unknown condition", retries("attempts: 1, retryOn: 4xx"), ["error 6 spec.http[0].retries.retryOn"]),
        Rule("an unknown status", retries("attempts: 1, retryOn: \"599\""), ["error 6 spec.http[0].retries.retryOn"]),
        Rule("every condition", retries("attempts: 1, retryOn: \"\(conditions.joined(separator: ","))\"")),
        Rule("no time", retries("attempts: 1, perTryTimeout: 0s"), ["error 6 spec.http[0].retries.perTryTimeout"]),
        Rule("no back-off", retries("attempts: 1, backoff: 0s"), ["error 6 spec.http[0].retries.backoff"]),
    ]

    private static let conditions = [
        "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx",
        "refused-stream", "retriable-status-codes", "retriable-headers", "envoy-ratelimited",
        "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal", "resource-exhausted",
        "unavailable", "429", "503",
    ]

    private static func delay(_ fields: String) -> String { entry("fault: {delay: {\(fields)}}") }
    private static func abort(_ fields: String) -> String { entry("fault: {abort: {\(fields)}}") }
    private static func percent(_ value: String) -> String { "percentage: {value: \(value)}" }

    private static let faultRules: [Rule] = [
        Rule("a delay", delay("fixedDelay: 5s, \(percent("0.1"))")),
        Rule("an abort", abort("httpStatus: 503, \(percent("100"))")),
        Rule("a gRPC status", abort("grpcStatus: UNAVAILABLE, \(percent("50"))")),
        Rule("nothing", entry("fault: {}"), ["error 6 spec.http[0].fault"]),
        Rule("a delay of no length", delay(percent("1")), ["warning 6 spec.http[0].fault.delay"]),
        Rule("a delay that never happens", delay("fixedDelay: 1s"), ["warning 6 spec.http[0].fault.delay"]),
        Rule("a delay of nothing", delay("fixedDelay: 0s"), ["error 6 spec.http[0].fault.delay.fixedDelay"]),
        Rule(
            "a delay that grows", delay("exponentialDelay: 1s, \(percent("1"))"),
            ["error 6 spec.http[0].fault.delay.exponentialDelay"]),
        Rule(
            "the old percentage", delay("fixedDelay: 1s, percent: 5"),
            ["warning IST0002 6 spec.http[0].fault.delay.percent"]),
        Rule("the old percentage of nothing", delay("fixedDelay: 1s, percent: 0")),
        Rule(
            "too great an old percentage", delay("fixedDelay: 1s, percent: 101"),
            ["error 6 spec.http[0].fault.delay.percent"]),
        Rule("an abort without status", abort(percent("1")), ["warning 6 spec.http[0].fault.abort"]),
        Rule("an abort that never happens", abort("httpStatus: 500"), ["warning 6 spec.http[0].fault.abort"]),
        Rule(
            "two statuses", abort("httpStatus: 500, grpcStatus: INTERNAL, \(percent("1"))"),
            ["error 6 spec.http[0].fault.abort.grpcStatus"]),
        Rule(
            "a strange status", abort("httpStatus: 99, \(percent("1"))"),
            ["error 6 spec.http[0].fault.abort.httpStatus"]),
        Rule(
            "an unknown gRPC status", abort("grpcStatus: unavailable, \(percent("1"))"),
            ["error 6 spec.http[0].fault.abort.grpcStatus"]),
        Rule(
            "an HTTP/2 error", abort("http2Error: REFUSED, httpStatus: 500, \(percent("1"))"),
            ["error 6 spec.http[0].fault.abort.http2Error"]),
        Rule(
            "a removed field", abort("httpStatus: 500, percent: 5, \(percent("1"))"),
            ["warning WEIR0002 6 spec.http[0].fault.abort.percent"]),
        Rule("the least percentage", abort("httpStatus: 500, \(percent("0.0001"))")),
        Rule(
            "too small a percentage", abort("httpStatus: 500, \(percent("0.00001"))"),
            ["error 6 spec.http[0].fault.abort.percentage.value"]),
        Rule(
            "too great a percentage", abort("httpStatus: 500, \(percent("100.1"))"),
            ["error 6 spec.http[0].fault.abort.percentage.value"]),
        Rule(
            "a bare percentage", abort("httpStatus: 500, percentage: 5"),
            ["error 6 spec.http[0].fault.abort.percentage"]),
    ]

    private static let mirrorRules: [Rule] = [
        Rule("a mirror", entry("mirror: {host: b, subset: v1, port: {number: 80}}, \(mirrored("0.00001"))")),
        Rule("mirrors", entry("mirrors: [{destination: {host: b}, \(percent("5"))}, {destination: {host: c}}]")),
        Rule(
            "a share below 0", entry("mirror: {host: b}, \(mirrored("-1"))"),
            ["error 6 spec.http[0].mirrorPercentage.value"]),
        Rule(
            "a share above 100", entry("mirror: {host: b}, \(mirrored("101"))"),
            ["error 6 spec.http[0].mirrorPercentage.value"]),
        Rule("the old share", entry("mirror: {host: b}, mirrorPercent: 5"), ["warning 6 spec.http[0].mirrorPercent"]),
        Rule(
            "too great an old share", entry("mirror: {host: b}, mirror_percent: 101"),
            ["warning 6 spec.http[0].mirrorPercent", "error 6 spec.http[0].mirrorPercent"]),
        Rule("no destination", entry("mirror: {subset: v1}, \(mirrored("1"))"), ["error 6 spec.http[0].mirror.host"]),
        Rule(
            "a mirror without destination", entry("mirrors: [{}]"), ["error 6 spec.http[0].mirrors[0].destination.host"]
        ),
        Rule(
            "too great a share of one", entry("mirrors: [{destination: {host: b}, \(percent("200"))}]"),
            ["error 6 spec.http[0].mirrors[0].percentage.value"]),
    ]

    private static func mirrored(_ value: String) -> String { "mirrorPercentage: {value: \(value)}" }

    @Test(arguments: timeRules + retryRules + faultRules + mirrorRules)
    func holdsFailureHandlingToIstiosRules(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(decodeOne(rule.yaml).resources.isEmpty == rule.isRefused)
    }
}

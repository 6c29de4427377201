import Testing

@testable import WeirEngine

@Suite("Header names")
struct HeaderNameTests {
    private func token(_ name: String) -> HeaderName {
        let bytes = Array(name.utf8)
        return bytes.withUnsafeBufferPointer { HeaderName.lookup($0.baseAddress!, length: bytes.count) }
    }

    @Test("Every token with a name is found by it")
    func tokens() {
        for name in HeaderName.allCases where name != .other && name != .xEnvoyControl {
            #expect(token("\(name.text)") == name)
        }
    }

    @Test(
        "The control headers a client must not set share a token",
        arguments: [
            "internal", "upstream-rq-timeout-ms", "upstream-rq-per-try-timeout-ms", "upstream-rq-timeout-alt-response",
            "retry-on", "retry-grpc-on", "retriable-status-codes", "max-retries", "hedge-on-per-try-timeout",
            "expected-rq-timeout-ms", "force-trace", "ip-tags", "upstream-alt-stat-name", "decorator-operation",
            "downstream-service-cluster", "downstream-service-node",
        ])
    func controlHeaders(rest: String) { #expect(token("x-envoy-\(rest)") == .xEnvoyControl) }

    @Test("A name that differs in one byte or in length is another name")
    func others() {
        for name in HeaderName.allCases where name != .other && name != .xEnvoyControl {
            let text = "\(name.text)"
            #expect(token(text + "x") == .other)
            for index in text.indices {
                var changed = text
                changed.replaceSubrange(index...index, with: "_")
                #expect(token(changed) == .other, "\(changed)")
            }
        }
        for name in ["x", "x-envoy-foo", "x-envoy-internals", "accept-encoding", "x-envoy-"] {
            #expect(token(name) == .other)
        }
        #expect(token(String(repeating: "n", count: 300)) == .other)
    }
}

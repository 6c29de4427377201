import Foundation
import Testing
import WeirTestSupport

/// The examples in `config/` of failures made up and of requests copied do what their first lines promise.
@Suite struct FailureExampleTests {
    @Test func aReviewIsSlowOrGoneForThoseWhoAskForIt() throws {
        let backends = try Backends(2)
        let server = try Example.server("faults.yaml", ports: backends.ports) {
            // Chance has no part in this test.
            $0.replacingOccurrences(of: "fixedDelay: 2s", with: "fixedDelay: 50ms")
                .replacingOccurrences(of: "value: 0.1\n", with: "value: 0\n")
        }
        func get(_ chaos: String) throws -> TestMessage {
            try server.get("/reviews/1", port: 8080, headers: chaos.isEmpty ? [] : [("x-chaos", chaos)])
        }
        let gone = try get("abort")
        #expect(gone.status == 503 && gone.text == "fault filter abort" && backends.origins[1].requests.isEmpty)
        #expect(try get("delay")["x-backend"] == "v2" && get("")["x-backend"] == "v2")
        #expect(try server.get("/", port: 8080)["x-backend"] == "v1")
        let injected = try server.metrics()
        #expect(injected.sum("weir_faults_injected_total", ["type": "abort"]) == 1)
        #expect(injected.sum("weir_faults_injected_total", ["type": "delay"]) >= 1)
    }

    @Test func aNewVersionGetsCopiesOfRealRequests() throws {
        let backends = try Backends(3)
        let server = try Example.server("mirroring.yaml", backends)
        var client = try server.client(port: 8080)
        let answer = try client.request("POST", "/orders", body: Array("order=42".utf8))
        #expect(answer["x-backend"] == "v1")
        for _ in 0..<20 {
            #expect(try client.request("GET", "/search?q=shoes")["x-backend"] == "v1")
        }
        try eventually("the copies have arrived") {
            try server.metrics().sum("weir_mirrored_requests_active") == 0 && backends.origins[2].requests.count == 20
        }
        #expect(backends.origins[1].requests.first?.text == "order=42")
        // A tenth of twenty, which chance makes more or less.
        #expect(backends.origins[1].requests.count < 15)
        let metrics = try server.metrics()
        let copies = backends.origins[1].requests.count + 20
        #expect(metrics.sum("weir_mirrored_requests_total", ["result": "answered"]) == Double(copies))
        #expect(metrics.sum("istio_requests_total", ["reporter": "source"]) == 21)
    }
}

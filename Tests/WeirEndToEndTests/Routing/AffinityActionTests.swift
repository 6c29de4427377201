import Testing
import WeirTestSupport

/// Sticky requests on routes that change heads: as in Envoy, a key is made after the request's changes, and a cookie before the
/// answer's.
@Suite struct AffinityActionTests {
    private func server(_ backends: Backends, key: String, actions: String) throws -> RunningServer {
        try RunningServer.live([
            Documents.gateway(),
            Documents.virtualService(http: "- route: [{destination: {host: shop}}]\n  \(actions)"),
            Documents.destinationRule("shop", versions: [], balancer: nil).replacing("  subsets:\n", with: "")
                + "  trafficPolicy: {loadBalancer: {consistentHash: \(key)}}\n",
            Documents.serviceEntry("shop", ports: backends.ports),
        ])
    }

    @Test(
        arguments: [
            ("remove: [set-cookie]", []), ("set: {set-cookie: other=1}", ["other"]),
            ("add: {set-cookie: other=1}", ["sid", "other"]),
        ] as [(String, [Substring])])
    func operationsOnTheAnswerMeetTheCookie(_ operation: String, _ names: [Substring]) throws {
        let backends = try Backends(2)
        let server = try server(
            backends, key: "{httpCookie: {name: sid, ttl: 60s}}", actions: "headers: {response: {\(operation)}}")
        #expect(try server.get().all("set-cookie").map { $0.prefix { $0 != "=" } } == names)
    }

    @Test(
        arguments: [
            ("{httpHeaderName: x-user}", "headers: {request: {set: {x-user: everybody}}}"),
            ("{httpHeaderName: \":authority\"}", "rewrite: {authority: shop.internal}"),
        ])
    func aKeyIsMadeOfWhatGoesUpstream(_ key: String, _ actions: String) throws {
        let backends = try Backends(3)
        let server = try server(backends, key: key, actions: actions)
        let homes = try (0..<30).map { number in
            try server.get(host: "h\(number).example.com", headers: [("x-user", "u\(number)")])["x-backend"]
        }
        #expect(homes[0] != nil && Set(homes).count == 1)
    }
}

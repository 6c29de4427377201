import Testing
import WeirTestSupport

/// Which rule takes a request: conditions, their order, and what passes them by.
@Suite struct MatchTests {
    private func server(http: String, _ backends: Backends) throws -> RunningServer {
        try RunningServer.live([
            Documents.gateway(), Documents.virtualService(http: http),
            Documents.destinationRule("shop", versions: ["v1", "v2", "v3"]),
            Documents.serviceEntry("shop", ports: backends.ports),
        ])
    }

    private func backend(
        _ server: RunningServer, _ target: String = "/", method: String = "GET", with headers: [(String, String)] = []
    ) throws -> String {
        var client = try server.client()
        let answer = try client.request(method, target, headers: headers)
        return answer["x-backend"] ?? "\(answer.status)"
    }

    @Test func headersChooseTheVersion() throws {
        let backends = try Backends(3)
        let server = try server(
            http: """
                - match:
                  - headers: {end-user: {exact: jason}}
                  - headers: {user-agent: {prefix: Mobile}, x-beta: {}}
                  route: [{destination: {host: shop, subset: v2}}]
                - match: [{headers: {x-build: {regex: "[0-9]+-rc[0-9]"}}}]
                  route: [{destination: {host: shop, subset: v3}}]
                - route: [{destination: {host: shop, subset: v1}}]
                """, backends)
        #expect(try backend(server) == "v1")
        #expect(try backend(server, with: [("end-user", "jason")]) == "v2")
        #expect(try backend(server, with: [("END-USER", "jason")]) == "v2")
        #expect(try backend(server, with: [("end-user", "Jason")]) == "v1")
        #expect(try backend(server, with: [("user-agent", "Mobile/1")]) == "v1")
        #expect(try backend(server, with: [("user-agent", "Mobile/1"), ("x-beta", "")]) == "v2")
        #expect(try backend(server, with: [("x-build", "17-rc3")]) == "v3")
        #expect(try backend(server, with: [("x-build", "17-rc31")]) == "v1")
    }

    @Test func pathsMethodsAndQueriesAreTriedInOrder() throws {
        let backends = try Backends(3)
        let server = try server(
            http: """
                - match: [{uri: {exact: /api}, method: {exact: POST}}]
                  route: [{destination: {host: shop, subset: v1}}]
                - match: [{uri: {prefix: /api}}, {queryParams: {release: {exact: canary}}}]
                  route: [{destination: {host: shop, subset: v2}}]
                - match: [{uri: {regex: "/items/[0-9]+"}}]
                  route: [{destination: {host: shop, subset: v3}}]
                """, backends)
        #expect(try backend(server, "/api", method: "POST") == "v1")
        #expect(try backend(server, "/api") == "v2")
        #expect(try backend(server, "/api/x", method: "POST") == "v2")
        #expect(try backend(server, "/apix") == "v2")
        #expect(try backend(server, "/other?a=1&release=canary") == "v2")
        #expect(try backend(server, "/items/12?x=y") == "v3")
        #expect(try backend(server, "/items/12a") == "404")
        #expect(try backend(server, "/other") == "404")
    }

    @Test func everyRequestOfOneConnectionIsRoutedOnItsOwn() throws {
        let backends = try Backends(3)
        let server = try server(
            http: """
                - match: [{headers: {end-user: {exact: jason}}}]
                  route: [{destination: {host: shop, subset: v2}}]
                - route: [{destination: {host: shop, subset: v1}}]
                """, backends)
        var client = try server.client()
        for index in 0..<40 {
            let isJason = index % 3 == 0
            let answer = try client.request("GET", "/\(index)", headers: isJason ? [("end-user", "jason")] : [])
            #expect(answer["x-backend"] == (isJason ? "v2" : "v1") && answer.text == "/\(index)")
        }
    }
}

import Testing
import WeirTestSupport

/// What a client is told when a rule leads nowhere, and that nothing else suffers.
@Suite struct NoDestinationTests {
    private func server(_ backends: Backends) throws -> RunningServer {
        let closed = try TestPort.free()
        return try RunningServer.live([
            Documents.gateway(),
            Documents.virtualService(
                http: """
                    - match: [{uri: {exact: /missing-subset}}]
                      route: [{destination: {host: shop, subset: v9}}]
                    - match: [{uri: {exact: /missing-service}}]
                      route: [{destination: {host: nobody}}]
                    - match: [{uri: {exact: /no-endpoints}}]
                      route: [{destination: {host: empty}}]
                    - match: [{uri: {exact: /no-such-label}}]
                      route: [{destination: {host: shop, subset: v2}}]
                    - match: [{uri: {exact: /refused}}]
                      route: [{destination: {host: closed}}]
                    - match: [{uri: {prefix: /good}}]
                      route: [{destination: {host: shop, subset: v1}}]
                    """),
            Documents.destinationRule("shop", versions: ["v1", "v2"]),
            Documents.serviceEntry("shop", ports: backends.ports),
            Documents.serviceEntry("empty", endpoints: []),
            Documents.serviceEntry("closed", endpoints: [Documents.Endpoint(port: closed)]),
        ])
    }

    @Test(arguments: [
        ("/missing-subset", 503, ""), ("/missing-service", 503, ""), ("/no-endpoints", 503, "no healthy upstream"),
        ("/no-such-label", 503, "no healthy upstream"),
        (
            "/refused", 503,
            "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: "
                + "remote connection failure"
        ), ("/elsewhere", 404, ""),
    ])
    func theAnswerSaysWhy(target: String, status: Int, body: String) throws {
        let backends = try Backends(1)
        let server = try server(backends)
        var client = try server.client()
        let answer = try client.request("GET", target)
        #expect(answer.status == status)
        #expect(answer.text.hasPrefix(body) && answer.text.isEmpty == body.isEmpty, "\(answer.text)")
        #expect(answer["content-length"] == "\(answer.body.count)" && answer["server"] == "weir")
        #expect(try client.request("GET", "/good")["x-backend"] == "v1", "the connection goes on")
    }

    @Test func whatLeadsNowhereIsReported() throws {
        let backends = try Backends(1)
        let problems = try server(backends).status().problems.filter { $0.code == "IST0101" }
        #expect(Set(problems.map { $0.resource ?? "" }) == ["VirtualService default/routes"])
        #expect(problems.contains { $0.path?.hasPrefix("spec.http[0].route[0].destination") == true })
        #expect(problems.contains { $0.path?.hasPrefix("spec.http[1].route[0].destination") == true })
        #expect(problems.allSatisfy { ($0.line ?? 0) > 1 && $0.file?.hasSuffix("/all.yaml") == true })
    }
}

import Testing

@testable import WeirEngine

/// From a Host header to the routes of a host, and of one of its ports.
@Suite struct ListenerPlanTests {
    private static func plan(_ name: String) -> VirtualHostPlan {
        VirtualHostPlan(
            routes: [
                RouteSpec(
                    conditions: [], destinations: [], origin: RouteOrigin(resource: "", file: "", line: 0, name: name))
            ])
    }

    @Test(arguments: [
        ("a", "any"), ("a:", "any"), ("a:80", "any"), ("a:8080", "8080"), ("A:8080", "8080"), ("a:8081", "8081"),
        ("a:08080", "8080"), ("a:x", "any"), ("a:80808080808080808080808080", "any"), ("b:8080", "b"),
        ("[::1]:8080", "v6 8080"), ("[::1]", "v6"), ("c:8080", nil),
    ])
    func aHostMayHaveRoutesOfItsOwnForAPort(authority: String, expected: String?) {
        let ports = [8080, 8081].map { ListenerPlan.PortPlan(port: $0, plan: Self.plan("\($0)")) }
        let listener = ListenerPlan(
            port: 1, bind: nil,
            hosts: [
                ListenerPlan.Host(pattern: "b", plan: Self.plan("b")),
                ListenerPlan.Host(pattern: "a", plan: Self.plan("any"), ports: ports),
                ListenerPlan.Host(
                    pattern: "[::1]", plan: Self.plan("v6"),
                    ports: [ListenerPlan.PortPlan(port: 8080, plan: Self.plan("v6 8080"))]),
            ])
        var authority = authority
        let found = authority.withUTF8 { listener.virtualHost(for: UnsafeRawBufferPointer($0)) }
        #expect(found?.takeUnretainedValue().specs[0].origin.name == expected)
    }

    @Test func listingsNameThePortsThatLeadElsewhere() {
        let (plan, other) = (Self.plan("any"), Self.plan("other"))
        let ports = [
            ListenerPlan.PortPlan(port: 80, plan: plan), ListenerPlan.PortPlan(port: 9090, plan: other),
        ]
        let listener = ListenerPlan(
            port: 1, bind: nil, hosts: [ListenerPlan.Host(pattern: "a", plan: plan, ports: ports)])
        #expect(listener.hostsByPort.map(\.pattern) == ["a", "a:9090"])
        #expect(listener.hostsByPort.map { $0.plan === other } == [false, true])
    }
}

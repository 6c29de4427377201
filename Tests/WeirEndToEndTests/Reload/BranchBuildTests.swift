import Synchronization
import Testing
import WeirTestSupport

/// Builds of branches come and go, each with files of its own for one host, while everybody's requests go on.
@Suite struct BranchBuildTests {
    private static let base: UInt32 = 0x7F00_0401

    @Test func tenBranchesAddAndRemoveTheirOwnFiles() throws {
        let rounds = TestScale.isSmall ? 1 : 3
        let origin = try EchoOrigin()
        let directory = try TemporaryDirectory()
        try directory.write("base.yaml", Self.base(port: origin.port))
        let server = try RunningServer.live(directory)
        let port = try server.port()
        let everybody = SteadyTraffic(clients: 2, port: port, allowed: [Self.base])
        try everybody.sees([Self.base])
        let branches = TestCrew(10) { number in
            let branch = Branch(number: number + 1, originPort: origin.port)
            for round in 0..<rounds { try branch.live(in: directory, port: port, round: round) }
        }
        try branches.join()
        try everybody.sees([Self.base])
        #expect(try everybody.end().keys.sorted() == [Self.base])
        #expect(try server.status().problems.map(\.message) == [], "nothing of a branch is left")
    }

    /// One branch's build: a version of its own of the one service, for requests that name the branch.
    private struct Branch {
        let number: Int
        let originPort: Int
        private var name: String { "branch-\(number)" }
        private var backend: UInt32 { 0x7F00_0500 | UInt32(number) }

        /// Adds the branch's files, sends its requests once the branch is live, and removes the files again.
        func live(in directory: TemporaryDirectory, port: Int, round: Int) throws {
            let traffic = SteadyTraffic(
                clients: 2, port: port, lines: "x-branch: \(name)\r\n", allowed: [BranchBuildTests.base, backend])
            try traffic.sees([BranchBuildTests.base])
            // What a route leads to is there before it, and gone after it.
            try directory.replace("\(name)-endpoints.yaml", endpoints)
            try directory.replace("\(name)-rule.yaml", rule)
            try directory.replace("\(name)-routes.yaml", routes)
            try traffic.sees([backend])
            try traffic.seesOnly(backend)
            try traffic.sees([backend])
            traffic.allow([backend, BranchBuildTests.base])
            try directory.remove("\(name)-routes.yaml")
            try traffic.seesOnly(BranchBuildTests.base)
            try directory.remove("\(name)-rule.yaml")
            try directory.remove("\(name)-endpoints.yaml")
            try traffic.sees([BranchBuildTests.base])
            _ = try traffic.end()
        }

        /// More endpoints for the service that everybody has.
        private var endpoints: String {
            """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: shop-\(name)}
            spec:
              hosts: [shop.default.svc.cluster.local]
              resolution: STATIC
              ports: [{number: 80, name: http, protocol: HTTP}]
              endpoints:
              - {address: 127.0.5.\(number), ports: {http: \(originPort)}, labels: {version: \(name)}}
            """
        }

        private var rule: String {
            """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: shop-\(name)}
            spec:
              host: shop
              subsets:
              - {name: \(name), labels: {version: \(name)}}
            """
        }

        private var routes: String {
            Documents.virtualService(
                "shop-\(name)", hosts: ["example.com"],
                http: """
                    - match:
                      - headers: {x-branch: {exact: \(name)}}
                      route:
                      - {destination: {host: shop, subset: \(name)}}
                    """)
        }
    }

    /// What everybody has: a service with one version, and a rule for all requests.
    private static func base(port: Int) -> String {
        [
            Documents.gateway(),
            Documents.virtualService(
                "shop", hosts: ["example.com"], http: "- route: [{destination: {host: shop, subset: main}}]"),
            Documents.destinationRule("shop", versions: ["main"]),
            Documents.serviceEntry(
                "shop", endpoints: [.init(address: "127.0.4.1", port: port, labels: "version: main")]),
        ].asFile
    }
}

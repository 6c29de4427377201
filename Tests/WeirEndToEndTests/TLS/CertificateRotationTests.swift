import Synchronization
import Testing
import WeirTestSupport

/// Certificates are replaced while clients connect and ask: none of them may notice but by the certificate.
@Suite struct CertificateRotationTests {
    private static let host = "shop.example.com"

    /// Clients that open a connection for each request, and one that keeps its own, until the object is told to end.
    private final class Load: Sendable {
        private let isDone = Atomic(false)
        private let answered = Atomic(0)
        private let crew = Mutex<TestCrew?>(nil)

        func start(_ client: SecuredClient) {
            let crew = TestCrew(3) { number in
                while !self.isDone.load(ordering: .relaxed) {
                    if number == 0 {
                        try client.requests(200, host)
                    } else {
                        let status = try client.status(host)
                        guard status == "200" else { throw TestSocketError(description: "answered \(status)") }
                    }
                    self.answered.add(1, ordering: .relaxed)
                }
            }
            self.crew.withLock { $0 = crew }
        }

        /// Waits until some more clients are served.
        func moves() throws {
            let before = answered.load(ordering: .relaxed)
            try eventually("clients are served", seconds: 60) { answered.load(ordering: .relaxed) > before + 3 }
        }

        func end() throws {
            isDone.store(true, ordering: .relaxed)
            try crew.withLock { $0 }?.join()
        }
    }

    private func documents(_ tls: String, _ backends: Backends) -> [String] {
        [
            Secured.gateway("entry", Secured.server("\"*\"", tls: "mode: SIMPLE, \(tls)")),
            Documents.virtualService("routes", hosts: ["*"], to: "shop"),
            Documents.serviceEntry("shop", ports: backends.ports),
        ]
    }

    @Test func aSecretIsReplacedUnderLoad() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let identities = try (0..<2).map { _ in try authority.issue([Self.host]) }
        let directory = try TemporaryDirectory()
        try directory.write("all.yaml", documents("credentialName: cert", backends).asFile)
        try directory.write("secret.yaml", try Secured.secret("cert", identities[0]))
        let server = try RunningServer.live(directory, ports: [443])
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        #expect(try client.sees(identities[0], Self.host))
        let load = Load()
        load.start(client)
        defer { try? load.end() }
        for round in 1...(TestScale.isSmall ? 2 : 4) {
            let identity = identities[round % 2]
            try load.moves()
            try server.reload { try directory.replace("secret.yaml", try Secured.secret("cert", identity)) }
            #expect(try client.sees(identity, Self.host))
        }
        try load.moves()
        try load.end()
        #expect(try server.status().errors.isEmpty)
    }

    @Test func filesAreReplacedUnderLoadOneAfterTheOther() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let identities = try (0..<2).map { _ in try authority.issue([Self.host]) }
        let directory = try TemporaryDirectory()
        let files = try TemporaryDirectory()
        try files.write("crt.pem", try identities[0].certificateText)
        try files.write("key.pem", try identities[0].keyText)
        let tls = "serverCertificate: \(files.path("crt.pem")), privateKey: \(files.path("key.pem"))"
        try directory.write("all.yaml", documents(tls, backends).asFile)
        let server = try RunningServer.live(directory, ports: [443])
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        let load = Load()
        load.start(client)
        defer { try? load.end() }
        for round in 1...(TestScale.isSmall ? 2 : 4) {
            let (former, identity) = (identities[(round + 1) % 2], identities[round % 2])
            try load.moves()
            try files.write("crt.pem", try identity.certificateText)
            try eventually("the half that was replaced is told of", seconds: 15) {
                try server.status().problems.contains { $0.code == "IST0161" }
            }
            #expect(try client.sees(former, Self.host))
            try files.replace("key.pem", try identity.keyText)
            // Workers have it a moment before it is told.
            try eventually("the new pair is served", seconds: 15) {
                try client.sees(identity, Self.host) && server.status().problems.isEmpty
            }
        }
        try load.moves()
        try load.end()
    }

    @Test func aMountedSecretIsSwapped() throws {
        let (backends, authority) = (try Backends(1), try TestAuthority())
        let identities = try (0..<2).map { _ in try authority.issue([Self.host]) }
        let (directory, files) = (try TemporaryDirectory(), try TemporaryDirectory())
        for (folder, identity) in zip(["..1", "..2"], identities) {
            try files.makeDirectory(folder)
            try files.write("\(folder)/tls.crt", try identity.certificateText)
            try files.write("\(folder)/tls.key", try identity.keyText)
        }
        try files.link("..data", to: "..1")
        for name in ["tls.crt", "tls.key"] { try files.link(name, to: "..data/\(name)") }
        let tls = "serverCertificate: \(files.path("tls.crt")), privateKey: \(files.path("tls.key"))"
        try directory.write("all.yaml", documents(tls, backends).asFile)
        let server = try RunningServer.live(directory, ports: [443])
        let client = try SecuredClient(port: try server.port(443), trusting: authority)
        #expect(try client.sees(identities[0], Self.host))
        try files.link("..next", to: "..2")
        try server.reload { try files.rename("..next", to: "..data") }
        #expect(try client.sees(identities[1], Self.host))
        #expect(try server.status().problems.isEmpty)
    }
}

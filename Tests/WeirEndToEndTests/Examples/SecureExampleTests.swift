import Foundation
import Testing
import WeirTestSupport

/// The examples in `config/` about TLS on both sides do what their first lines promise.
@Suite struct SecureExampleTests {
    /// curl to a name that is found at a Gateway's port.
    private func curl(_ server: RunningServer, _ host: String, _ options: [String]) throws -> Tool.Outcome {
        let connection = "\(host):443:127.0.0.1:\(try server.port(8443))"
        return try Tool("curl").run(
            ["--silent", "--show-error", "--max-time", "30", "--connect-to", connection] + options
                + ["https://\(host)/page"])
    }

    @Test func aSecretsCertificateIsServedAndPlainHTTPSentThere() throws {
        let origin = try OriginServer { request, socket in
            let scheme = request["x-forwarded-proto"] ?? "-"
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(scheme.utf8.count)\r\n\r\n\(scheme)")
            return true
        }
        defer { origin.stop() }
        let host = "shop.example.com"
        let authority = try TestAuthority()
        let first = try Documents.secret("shop-certificate", authority.issue([host]))
        let blog = try Documents.secret("blog-certificate", authority.issue(["blog.example.com"]))
        let server = try Example.server(
            "tls.yaml", ports: [origin.port], entries: [8080, 8443],
            beside: ["secret.yaml": first, "blog.yaml": blog])
        for version in ["--http1.1", "--http2"] {
            let answer = try curl(server, host, [version, "--cacert", authority.certificate])
            #expect(answer.output == "https", "\(answer.errors)")
        }
        // A client holds the certificate to the name it asks for.
        let second = try curl(server, "blog.example.com", ["--cacert", authority.certificate])
        #expect(second.output == "https", "\(second.errors)")
        #expect(try curl(server, "elsewhere.example.com", ["--cacert", authority.certificate]).status != 0)
        let redirect = try server.get("/page?x", host: host, port: 8080)
        #expect(redirect.status == 301 && redirect["location"] == "https://shop.example.com/page?x")
        let other = try TestAuthority(name: "Another authority")
        let next = try Documents.secret("shop-certificate", other.issue([host]))
        try server.reload { try server.directory.replace("secret.yaml", next) }
        #expect(try curl(server, host, ["--cacert", other.certificate]).output == "https")
        #expect(try curl(server, host, ["--cacert", authority.certificate]).status != 0)
    }

    @Test func partnersShowWhoTheyAre() throws {
        let origin = try OriginServer { request, socket in
            let facts = request["x-forwarded-client-cert"] ?? "-"
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(facts.utf8.count)\r\n\r\n\(facts)")
            return true
        }
        defer { origin.stop() }
        let host = "api.example.com"
        let authority = try TestAuthority()
        let files = try TemporaryDirectory()
        let own = try authority.issue([host])
        try files.write("api.crt", own.certificateText)
        try files.write("api.key", own.keyText)
        try files.write("ca.crt", authority.certificateText)
        let server = try Example.server("mutual-tls.yaml", ports: [origin.port], entries: [8443]) {
            $0.replacingOccurrences(of: "/tmp/weir-mutual", with: files.path)
        }
        let partner = try authority.issue(["partner-one"])
        let trusting = ["--cacert", authority.certificate, "--header", "x-forwarded-client-cert: Subject=forged"]
        let answer = try curl(server, host, trusting + ["--cert", partner.certificate, "--key", partner.key])
        #expect(answer.output.contains("Subject=\"CN=partner-one\"") && !answer.output.contains("forged"), "\(answer)")
        let unknown = try curl(server, host, trusting)
        #expect(unknown.status != 0 && unknown.output.isEmpty)
    }

    /// A program that answers one connection after the other in TLS and shows what it saw of it.
    private func origin(_ identity: TestAuthority.Identity, _ options: [String] = []) throws -> (ChildProcess, Int) {
        let process = try ChildProcess(
            try Tool("openssl").path,
            ["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", identity.certificate, "-key", identity.key]
                + options)
        var port: Int?
        try eventually("openssl listens; it said: \(process.errors)") {
            let words = process.output.split(separator: "\n").first { $0.hasPrefix("ACCEPT ") }
            port = words?.split(separator: ":").last.flatMap { Int($0) }
            return port != nil
        }
        return (process, try #require(port))
    }

    @Test func theServersNameChoosesWhoseCertificateClientsSee() throws {
        let authority = try TestAuthority()
        let bank = try origin(authority.issue(["bank.example.com"]))
        let old = try origin(authority.issue(["shop.example.com", "old.example.com"]))
        let new = try origin(authority.issue(["shop.example.com", "new.example.com"]))
        let server = try Example.server("passthrough.yaml", ports: [bank.1, old.1, new.1], entries: [8443])
        func subject(_ name: String) throws -> String {
            let told = try Tool("openssl").run([
                "s_client", "-connect", "127.0.0.1:\(try server.port(8443))", "-servername", name, "-CAfile",
                authority.certificate, "-verify_return_error", "-verify_hostname", name,
            ])
            // It says so too where there was no certificate to verify.
            return told.status == 0 && told.output.contains("Verify return code: 0 (ok)") ? "ok" : told.errors
        }
        #expect(try subject("bank.example.com") == "ok")
        for _ in 0..<10 { #expect(try subject("shop.example.com") == "ok") }
        #expect(try subject("elsewhere.example.com") != "ok")
        withExtendedLifetime([bank.0, old.0, new.0]) {}
    }

    @Test func upstreamsAreVerifiedAndShownWhoAsks() throws {
        let authority = try TestAuthority()
        let files = try TemporaryDirectory()
        let own = try authority.issue(["weir.internal"])
        try files.write("ca.crt", authority.certificateText)
        try files.write("weir.crt", own.certificateText)
        try files.write("weir.key", own.keyText)
        let shop = try origin(authority.issue(["shop.internal"]))
        let payments = try origin(
            authority.issue(["payments.internal"]),
            ["-Verify", "1", "-verify_return_error", "-CAfile", authority.certificate])
        let stranger = try origin(TestAuthority(name: "Somebody else").issue(["shop.internal"]))
        func server(shop: Int) throws -> RunningServer {
            try Example.server("upstream-tls.yaml", ports: [shop, payments.1]) {
                $0.replacingOccurrences(of: "/tmp/weir-upstream", with: files.path)
            }
        }
        let good = try server(shop: shop.1)
        #expect(try good.get("/", port: 8080).text.contains("TLSv1.3"))
        let payment = try good.get("/payments", port: 8080)
        #expect(payment.status == 200 && payment.text.contains("weir.internal"), "\(payment.text)")
        #expect(try server(shop: stranger.1).get("/", port: 8080).status == 503, "of another authority")
        #expect(try server(shop: payments.1).get("/", port: 8080).status == 503, "of another name")
        withExtendedLifetime([shop.0, payments.0, stranger.0]) {}
    }
}

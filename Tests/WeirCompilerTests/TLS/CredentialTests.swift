import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// Where servers of TLS take certificates from, and what happens when those are missing, broken or replaced.
@Suite struct CredentialTests {
    private typealias F = Fixture
    private static let one = "443 *: CN=one.example.com"
    private static let two = "443 *: CN=two.example.com"
    private static let out = "443 *: out"

    private func gateway(
        namespace: String = "default", _ change: @escaping (inout Gateway.TLS) -> Void = { $0.credentialName = "cert" }
    ) -> Resource {
        F.gateway(namespace: namespace, [F.tlsServer { change(&$0) }])
    }

    // MARK: Secrets

    @Test func keysOfIstiosOwnNamesComeFirst() {
        let both = [
            "cert": TestPair.one.certificate, "key": TestPair.one.key, "tls.crt": TestPair.two.certificate,
            "tls.key": TestPair.two.key,
        ]
        var incomplete = both
        incomplete["key"] = ""
        #expect(Compiler.make().compile([gateway(), F.secret(both)]).servers == [Self.one])
        #expect(Compiler.make().compile([gateway(), F.secret(incomplete)]).servers == [Self.two])
        #expect(Compiler.make().compile([gateway(), F.secret(TestPair.two)]).servers == [Self.two])
    }

    @Test func twoSecretsServeBothKindsOfKeys() throws {
        let result = Compiler.make().compile([
            gateway { $0.credentialNames = ["ec", "rsa"] }, F.secret("ec", TestPair.one), F.secret("rsa", TestPair.rsa),
        ])
        #expect(result.servers == ["443 *: CN=one.example.com CN=rsa.example.com"])
        #expect(result.diagnostics.isEmpty)
        #expect(result.credentials == ["default/ec Cert Chain ACTIVE", "default/rsa Cert Chain ACTIVE"])
        let half = Compiler.make().compile([
            gateway { $0.credentialNames = ["ec", "rsa"] }, F.secret("ec", TestPair.one),
        ])
        #expect(half.servers == [Self.out])
        #expect(half.findings == ["IST0101 gw spec.servers[0].tls.credentialNames[1] gw.yaml:7"])
    }

    @Test func aSecretIsLookedForWithItsGatewayOrWhereTheGatewayLives() throws {
        let resources = [
            gateway(namespace: "edge"), F.secret(namespace: "edge", TestPair.one),
            F.secret(namespace: "system", TestPair.two),
        ]
        #expect(Compiler.make().compile(resources).servers == [Self.one])
        #expect(Compiler.make { $0.secretNamespace = "system" }.compile(resources).servers == [Self.two])
        let elsewhere = Compiler.make { $0.secretNamespace = "other" }.compile(resources)
        #expect(elsewhere.servers == [Self.out])
        let message = try #require(elsewhere.diagnostics.first).message
        #expect(message.contains("no Secret other/cert"))
        #expect(message.contains("namespace edge, system"))
    }

    @Test(arguments: [
        ("kubernetes-gateway://default/cert", false), ("sds://cert", false), ("configmap://cert", false),
        ("other/cert", false), ("default/cert", true), ("kubernetes://cert", true),
    ])
    func aNameIsThatOfASecretInReach(_ name: String, _ isTaken: Bool) {
        let result = Compiler.make().compile([gateway { $0.credentialName = name }, F.secret(TestPair.one)])
        #expect(result.servers == [isTaken ? Self.one : Self.out])
        #expect(result.findings == (isTaken ? [] : ["IST0106 gw spec.servers[0].tls.credentialName gw.yaml:7"]))
    }

    // MARK: What is wrong

    @Test(arguments: [
        (["tls.crt": TestPair.one.certificate], "tls.crt has no tls.key beside it"),
        (["tls.crt": "", "tls.key": TestPair.one.key], "tls.key has no tls.crt beside it"),
        (["a": "b"], "neither tls.crt and tls.key nor cert and key"),
        (
            ["tls.crt": "hello", "tls.key": TestPair.one.key],
            "There is no certificate that can be read in tls.crt of Secret default/cert"
        ),
        (
            ["tls.crt": TestPair.one.certificate, "tls.key": "hello"],
            "There is no private key that can be read in tls.key of Secret default/cert"
        ),
        (["cert": TestPair.one.certificate, "key": TestPair.two.key], "does not belong to the certificate"),
    ])
    func aBrokenSecretTakesItsServerOutAlone(_ values: [String: String], _ reason: String) throws {
        let result = Compiler.make().compile([
            F.gateway([
                F.tlsServer(["a.com"], name: "a") { $0.credentialName = "cert" },
                F.tlsServer(["b.com"], name: "b") { $0.credentialName = "good" },
            ]), F.secret(values), F.secret("good", TestPair.two),
        ])
        #expect(result.servers == ["443 a.com: out", "443 b.com: CN=two.example.com"])
        #expect(result.findings == ["IST0161 gw spec.servers[0].tls.credentialName gw.yaml:7"])
        let message = try #require(result.diagnostics.first).message
        #expect(message.contains(reason))
        #expect(message.contains("TLS connections to this server fail"))
        #expect(!message.contains("BEGIN"))
        #expect(result.credentials == ["default/cert Cert Chain BROKEN unused", "default/good Cert Chain ACTIVE"])
    }

    @Test func aSecretThatComesIsServed() {
        let compiler = Compiler.make()
        let before = compiler.compile([gateway()])
        #expect(before.servers == [Self.out])
        #expect(before.findings == ["IST0101 gw spec.servers[0].tls.credentialName gw.yaml:7"])
        #expect(before.credentials == ["default/cert Cert Chain MISSING unused"])
        let after = compiler.compile([gateway(), F.secret(TestPair.one)])
        #expect(after.servers == [Self.one])
        #expect(after.diagnostics.isEmpty)
    }

    @Test func theLastGoodPairStaysInUse() throws {
        let compiler = Compiler.make()
        let first = compiler.compile([gateway(), F.secret(TestPair.one)])
        let removed = compiler.compile([gateway()])
        #expect(removed.servers == [Self.one])
        #expect(removed.contexts() === first.contexts())
        #expect(try #require(removed.diagnostics.first).message.contains("the last good edition stays in use"))
        let half = compiler.compile([gateway(), F.secret(["cert": TestPair.two.certificate, "key": TestPair.one.key])])
        #expect(half.servers == [Self.one])
        #expect(half.credentials == ["default/cert Cert Chain BROKEN"])
        let whole = compiler.compile([gateway(), F.secret(TestPair.two)])
        #expect(whole.servers == [Self.two])
        #expect(whole.diagnostics.isEmpty)
        // Another name is another source: what was good under the former one is not meant.
        #expect(compiler.compile([gateway { $0.credentialName = "other" }]).servers == [Self.out])
        #expect(compiler.compile([gateway()]).servers == [Self.out])
    }

    @Test func anExpiredCertificateIsServedAndToldOf() throws {
        let compiler = Compiler.make()
        let now = 1_800_000_000.0
        let resources = ResourceSet([gateway(), F.secret(TestPair.old)])
        let result = compiler.compile(resources, unixSeconds: now)
        #expect(result.servers == ["443 *: CN=old.example.com"])
        #expect(result.findings == ["IST0161 gw spec.servers[0].tls.credentialName gw.yaml:7"])
        #expect(try #require(result.diagnostics.first).message.contains("expired on 2021-01-01"))
        #expect(result.certificates.first?.problem == "expired on 2021-01-01")
        #expect(result.nextDeadline == nil)
    }

    @Test func datesAreLookedAtAgainWhenTheyCome() throws {
        let compiler = Compiler.make()
        let end = 1_609_459_200.0
        let resources = ResourceSet([gateway(), F.secret(TestPair.old)])
        let before = compiler.compile(resources, at: 100, unixSeconds: end - 60)
        #expect(before.diagnostics.isEmpty)
        #expect(before.nextDeadline == 160)
        #expect(compiler.compile(resources, at: 159, unixSeconds: end - 1).diagnostics.isEmpty)
        let after = compiler.compile(resources, at: 160, unixSeconds: end)
        #expect(after.findings == ["IST0161 gw spec.servers[0].tls.credentialName gw.yaml:7"])
        #expect(after.contexts() === before.contexts())
        let far = Compiler.make().compile(resources, at: 0, unixSeconds: end - 1e6)
        #expect(far.nextDeadline == Compiler.longestDateSeconds)
    }

    @Test func aChainThatIsTooLongIsNamed() throws {
        let chain = Array(repeating: TestPair.one.certificate, count: 17).joined(separator: "\n")
        let result = Compiler.make().compile([
            gateway(), F.secret(["tls.crt": chain, "tls.key": TestPair.one.key]),
        ])
        #expect(result.servers == [Self.out])
        let message = try #require(result.diagnostics.first).message
        #expect(
            message.contains("tls.crt of Secret default/cert cannot be served: certificate 1 has a chain of 17 certif"))
    }

    @Test func aStapleThatCannotBeReadIsLeftOutAndToldOf() throws {
        let values = [
            "tls.crt": TestPair.one.certificate, "tls.key": TestPair.one.key, "tls.ocsp-staple": "no response",
        ]
        let compiler = Compiler.make()
        let result = compiler.compile([gateway(), F.secret(values)])
        #expect(result.servers == [Self.one])
        #expect(result.contexts()?.spec.certificates.first?.ocspResponse == nil)
        #expect(result.findings == ["IST0161 gw spec.servers[0].tls.credentialName gw.yaml:7"])
        #expect(try #require(result.diagnostics.first).message.contains("so it is left out"))
        #expect(result.credentials == ["default/cert Cert Chain ACTIVE"])
        let again = compiler.compile([gateway(), F.secret(values)])
        #expect(again.contexts() === result.contexts() && again.findings == result.findings)
        #expect(compiler.compile([gateway(), F.secret(TestPair.one)]).diagnostics.isEmpty)
    }

    // MARK: Certificate authorities

    private func mutual(_ change: @escaping (inout Gateway.TLS) -> Void = { _ in }) -> Resource {
        gateway {
            $0.mode = .mutual
            $0.credentialName = "cert"
            change(&$0)
        }
    }

    private func trusted(_ result: Compilation) -> String? {
        result.contexts().map { String(decoding: $0.spec.clientAuthorityPEM, as: UTF8.self) }
    }

    @Test func theAuthorityComesFromTheNamedTheSeparateOrTheSameSecret() {
        let own = F.secret([
            "tls.crt": TestPair.one.certificate, "tls.key": TestPair.one.key, "ca.crt": TestPair.one.certificate,
        ])
        let separate = F.secret("cert-cacert", ["cacert": TestPair.authority.certificate])
        let named = F.secret("trust", ["cacert": TestPair.two.certificate, "ca.crt": TestPair.rsa.certificate])
        #expect(trusted(Compiler.make().compile([mutual(), own])) == TestPair.one.certificate)
        #expect(trusted(Compiler.make().compile([mutual(), own, separate])) == TestPair.authority.certificate)
        let result = Compiler.make().compile([mutual { $0.caCertCredentialName = "trust" }, own, separate, named])
        #expect(trusted(result) == TestPair.two.certificate)
        #expect(result.contexts()?.spec.clientVerification == .required)
        #expect(result.credentials == ["default/cert Cert Chain ACTIVE", "default/trust CA ACTIVE"])
        #expect(result.diagnostics.isEmpty)
    }

    @Test func withoutAnAuthorityAMutualServerIsOut() throws {
        let result = Compiler.make().compile([mutual(), F.secret(TestPair.one)])
        #expect(result.servers == [Self.out])
        #expect(result.findings == ["IST0161 gw spec.servers[0].tls.credentialName gw.yaml:7"])
        #expect(try #require(result.diagnostics.first).message.contains("has neither ca.crt nor cacert"))
        // A missing Secret is told once.
        #expect(Compiler.make().compile([mutual()]).diagnostics.count == 1)
    }

    @Test func aSeparateAuthorityThatIsRemovedStaysInUse() {
        let compiler = Compiler.make()
        let separate = F.secret("cert-cacert", ["cacert": TestPair.authority.certificate])
        _ = compiler.compile([mutual(), F.secret(TestPair.one), separate])
        let removed = compiler.compile([mutual(), F.secret(TestPair.one)])
        #expect(trusted(removed) == TestPair.authority.certificate)
        #expect(removed.findings == ["IST0101 gw spec.servers[0].tls.credentialName gw.yaml:7"])
    }

    @Test func aBrokenRevocationListLeavesTheFormerSettingsInUse() throws {
        let compiler = Compiler.make()
        func secret(_ more: [String: String]) -> Resource {
            let values = [
                "cert": TestPair.one.certificate, "key": TestPair.one.key, "cacert": TestPair.authority.certificate,
            ]
            return F.secret(values.merging(more) { $1 })
        }
        #expect(Compiler.make().compile([mutual(), secret(["crl": "hello"])]).servers == [Self.out])
        let first = compiler.compile([mutual(), secret([:])])
        let second = compiler.compile([mutual(), secret(["crl": "hello"])])
        #expect(second.contexts() === first.contexts())
        #expect(second.findings == ["IST0161 gw spec.servers[0].tls.credentialName gw.yaml:7"])
        let message = try #require(second.diagnostics.first).message
        #expect(message.contains("no revocation list that can be read in crl of Secret default/cert"))
        #expect(message.contains("the last good edition stays in use"))
        #expect(second.credentials == ["default/cert CA BROKEN", "default/cert Cert Chain ACTIVE"])
    }

    // MARK: Files

    private func fileGateway(_ change: @escaping (inout Gateway.TLS) -> Void = { _ in }) -> Resource {
        gateway {
            $0.serverCertificate = "/c"
            $0.privateKey = "/k"
            change(&$0)
        }
    }

    @Test func filesAreServedAndFollowed() throws {
        let files = FakeFiles()
        files["/c"] = TestPair.one.certificate
        files["/k"] = TestPair.one.key
        let compiler = Compiler(options: CompilerOptions(workers: 1), files: files)
        #expect(compiler.compile([fileGateway()]).servers == [Self.one])
        #expect(files.kept == ["/c", "/k"])
        files["/c"] = TestPair.two.certificate
        let half = compiler.compile([fileGateway()])
        #expect(half.servers == [Self.one])
        #expect(half.findings == ["IST0161 gw spec.servers[0].tls.serverCertificate gw.yaml:7"])
        #expect(try #require(half.diagnostics.first).message.contains("The private key in /k does not belong"))
        files["/k"] = TestPair.two.key
        let whole = compiler.compile([fileGateway()])
        #expect(whole.servers == [Self.two])
        #expect(whole.diagnostics.isEmpty)
        files["/k"] = nil
        #expect(compiler.compile([fileGateway()]).servers == [Self.two])
        _ = compiler.compile([gateway()])
        #expect(files.kept == [])
    }

    @Test func pairsOfFilesAndTheirAuthorityAreServed() {
        let files = FakeFiles()
        files["/c"] = TestPair.one.certificate
        files["/k"] = TestPair.one.key
        files["/rc"] = TestPair.rsa.certificate
        files["/rk"] = TestPair.rsa.key
        files["/ca"] = TestPair.authority.certificate
        let compiler = Compiler(options: CompilerOptions(workers: 1), files: files)
        let result = compiler.compile([
            gateway {
                $0.mode = .optionalMutual
                $0.tlsCertificates = [("/c", "/k"), ("/rc", "/rk")].map { pair in
                    var certificate = Gateway.TLS.Certificate()
                    certificate.serverCertificate = pair.0
                    certificate.privateKey = pair.1
                    return certificate
                }
                $0.caCertificates = "/ca"
            }
        ])
        #expect(result.servers == ["443 *: CN=one.example.com CN=rsa.example.com"])
        #expect(result.contexts()?.spec.clientVerification == .optional)
        #expect(result.credentials == ["/c Cert Chain ACTIVE", "/ca CA ACTIVE", "/rc Cert Chain ACTIVE"])
    }

    @Test func aFileThatIsMissingOrEmptyIsNamed() {
        let files = FakeFiles()
        let compiler = Compiler(options: CompilerOptions(workers: 1), files: files)
        #expect(
            compiler.compile([fileGateway()]).findings == ["IST0101 gw spec.servers[0].tls.serverCertificate gw.yaml:7"]
        )
        files["/c"] = ""
        #expect(
            compiler.compile([fileGateway()]).findings == ["IST0161 gw spec.servers[0].tls.serverCertificate gw.yaml:7"]
        )
        files.refuse("/c", "This is no regular file.")
        #expect(
            compiler.compile([fileGateway()]).findings == ["IST0161 gw spec.servers[0].tls.serverCertificate gw.yaml:7"]
        )
        // An analysis does not know what lies on the machine that serves.
        #expect(Compiler.make().compile([fileGateway()]).diagnostics.isEmpty)
    }
}

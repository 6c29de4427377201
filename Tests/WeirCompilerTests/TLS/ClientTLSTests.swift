import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// DestinationRules that secure the connections to a service.
@Suite struct ClientTLSTests {
    private typealias F = Fixture
    private typealias Settings = TrafficPolicy.ClientTLS

    private static func settings(
        _ mode: Settings.Mode = .simple, _ change: (inout Settings) -> Void = { _ in }
    )
        -> Settings
    {
        var settings = Settings()
        settings.mode = mode
        change(&settings)
        return settings
    }

    private static func policy(_ settings: Settings?, ports: [Int: Settings] = [:]) -> TrafficPolicy {
        var policy = TrafficPolicy()
        policy.tls = settings
        policy.portLevelSettings = ports.sorted { $0.key < $1.key }.map { number, settings in
            var port = TrafficPolicy.PortTrafficPolicy()
            port.port = number
            port.tls = settings
            port.line = number
            return port
        }
        return policy
    }

    private static func rule(_ settings: Settings) -> Resource {
        F.destinationRule("alpha", host: "alpha", policy: policy(settings))
    }

    private func compile(
        _ compiler: Compiler, to targets: [String] = ["alpha"], entry: Resource = F.entry("alpha"),
        _ resources: [Resource]
    ) -> Compilation {
        let rules = targets.enumerated().map { F.rule([F.match(exact: "/\($0.offset)")], to: $0.element) }
        return compiler.compile([F.gateway(), F.virtualService(rules), entry] + resources)
    }

    private static func trusted(_ text: String) -> TLSClientSpec.Trust { .authorities(PEMText(Array(text.utf8))) }

    @Test func theRequestsHostIsAskedForUnlessTheRuleNamesAnother() throws {
        let files = FakeFiles()
        files["/ca"] = TestPair.authority.certificate
        let names: [(Settings, String?, TLSClientSpec.ExpectedNames)] = [
            (Self.settings { $0.caCertificates = "/ca" }, nil, .requested),
            (
                Self.settings {
                    $0.caCertificates = "/ca"
                    $0.sni = "Up.test"
                }, "up.test", .any
            ),
            (
                Self.settings {
                    $0.caCertificates = "/ca"
                    $0.sni = "up.test"
                    $0.subjectAltNames = ["a", "b"]
                }, "up.test", .oneOf(["a", "b"])
            ),
            (
                Self.settings {
                    $0.caCertificates = "/ca"
                    $0.subjectAltNames = ["a"]
                }, nil, .oneOf(["a"])
            ),
        ]
        for (settings, name, expected) in names {
            let result = compile(Compiler(options: CompilerOptions(workers: 1), files: files), [Self.rule(settings)])
            let tls = try #require(result.snapshot.clusters[0].spec.tls)
            #expect(tls.serverName == name && tls.expectedNames == expected)
            #expect(tls.trust == Self.trusted(TestPair.authority.certificate))
            #expect(result.diagnostics.isEmpty)
        }
    }

    @Test func aServiceMaySayWhichNamesItsCertificatesHave() throws {
        let files = FakeFiles()
        files["/ca"] = TestPair.authority.certificate
        var entry = ServiceEntry()
        entry.hosts = ["alpha.default.svc.cluster.local"]
        entry.ports = [F.port(80)]
        entry.resolution = .static
        entry.subjectAltNames = ["spiffe://x"]
        let resource = F.resource(.serviceEntry, "alpha", "default", .serviceEntry(entry))
        let result = compile(
            Compiler(options: CompilerOptions(workers: 1), files: files), entry: resource,
            [Self.rule(Self.settings { $0.caCertificates = "/ca" })])
        #expect(result.snapshot.clusters[0].spec.tls?.expectedNames == .oneOf(["spiffe://x"]))
    }

    @Test func whatTheSystemTrustsIsTrustedWhereTheRuleNamesNothing() throws {
        let files = FakeFiles()
        files[ClientTLSGathering.systemTrust[1]] = TestPair.authority.certificate
        for path in [nil, "system"] {
            let result = compile(
                Compiler(options: CompilerOptions(workers: 1), files: files),
                [Self.rule(Self.settings { $0.caCertificates = path })])
            #expect(
                result.snapshot.clusters[0].spec.tls?.trust == Self.trusted(TestPair.authority.certificate))
        }
        let without = compile(
            Compiler(options: CompilerOptions(workers: 1), files: FakeFiles()), [Self.rule(Self.settings())])
        #expect(without.snapshot.clusters[0].spec.transportProblem != nil)
        #expect(without.findings == ["IST0101 alpha spec.trafficPolicy.tls.caCertificates alpha.yaml:1"])
    }

    @Test func nothingIsLookedAtWhereTheRuleSaysSo() throws {
        let result = compile(
            Compiler(options: CompilerOptions(workers: 1), files: FakeFiles()),
            [Self.rule(Self.settings { $0.insecureSkipVerify = true })])
        let tls = try #require(result.snapshot.clusters[0].spec.tls)
        #expect(tls.trust == .anyone && tls.expectedNames == .any)
    }

    @Test func aSecretHoldsWhatIsShownAndTrusted() throws {
        let pair = TestPair.one
        let secrets: [[Resource]] = [
            [
                F.secret(
                    "up", ["tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": TestPair.authority.certificate])
            ],
            [F.secret("up", ["cert": pair.certificate, "key": pair.key, "cacert": TestPair.authority.certificate])],
            [
                F.secret("up", ["tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": TestPair.two.certificate]),
                F.secret("up-cacert", ["ca.crt": TestPair.authority.certificate]),
            ],
        ]
        for resources in secrets {
            let result = compile(
                Compiler.make(), [Self.rule(Self.settings(.mutual) { $0.credentialName = "up" })] + resources)
            let tls = try #require(result.snapshot.clusters[0].spec.tls)
            #expect(tls.certificate == PEMText(Array(pair.certificate.utf8)))
            #expect(tls.privateKey == PEMText(Array(pair.key.utf8)))
            #expect(tls.trust == Self.trusted(TestPair.authority.certificate))
        }
        let missing = compile(Compiler.make(), [Self.rule(Self.settings(.mutual) { $0.credentialName = "up" })])
        #expect(missing.snapshot.clusters[0].spec.tls == nil)
        #expect(missing.snapshot.clusters[0].spec.transportProblem == TLSClientCompiler.unusableText)
        #expect(missing.findings.first == "IST0101 alpha spec.trafficPolicy.tls.credentialName alpha.yaml:1")
    }

    /// With everything that is in use at the gateway, by name.
    @Test func whatIsShownAndTrustedIsListed() {
        let pair = TestPair.one
        let up = F.secret(
            "up", ["tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": TestPair.authority.certificate])
        let result = compile(Compiler.make(), [Self.rule(Self.settings(.mutual) { $0.credentialName = "up" }), up])
        #expect(result.credentials == ["default/up CA ACTIVE", "default/up Cert Chain ACTIVE"])
        #expect(result.certificates.allSatisfy { $0.users == ["DestinationRule default/alpha"] })
    }

    @Test func aBrokenRevocationListDoesNotReplaceAGoodOne() {
        let files = FakeFiles()
        files["/ca"] = TestPair.authority.certificate
        let compiler = Compiler(options: CompilerOptions(workers: 1), files: files)
        func rule(_ list: String?) -> Resource {
            Self.rule(
                Self.settings {
                    $0.caCertificates = "/ca"
                    $0.caCrl = list
                })
        }
        let first = compile(compiler, [rule(nil)])
        files["/crl"] = "hello"
        let broken = compile(compiler, [rule("/crl")])
        #expect(broken.snapshot.clusters[0].spec.tls == first.snapshot.clusters[0].spec.tls)
        #expect(broken.findings == ["IST0161 alpha spec.trafficPolicy.tls.caCertificates alpha.yaml:1"])
        #expect(broken.diagnostics.first?.message.contains("no revocation list that can be read in /crl") == true)
    }

    @Test func theMeshsOwnCertificatesAreRefused() {
        let result = compile(Compiler.make(), [Self.rule(Self.settings(.istioMutual))])
        #expect(result.snapshot.clusters[0].spec.transportProblem == TLSClientCompiler.meshText)
    }

    @Test func connectionsArePlainWithoutABlockOrWithDISABLE() {
        for rule in [
            Self.rule(Self.settings(.disable)), F.destinationRule("alpha", host: "alpha", policy: F.policy(.random)),
        ] {
            let spec = compile(Compiler.make(), [rule]).snapshot.clusters[0].spec
            #expect(spec.tls == nil && spec.transportProblem == nil)
        }
    }

    @Test func findingsNameTheBlockThatIsInForce() {
        let missing = Self.settings { $0.caCertificates = "/missing" }
        let subset = F.subset("v1", policy: Self.policy(nil, ports: [80: missing]))
        let rule = F.destinationRule(
            "alpha", host: "alpha", subsets: [F.subset("v0"), subset],
            policy: Self.policy(Self.settings(.disable), ports: [80: missing]))
        let result = compile(
            Compiler(options: CompilerOptions(workers: 1), files: FakeFiles()), to: ["alpha", "alpha/v1"], [rule])
        #expect(
            result.findings.sorted() == [
                "IST0101 alpha spec.subsets[1].trafficPolicy.portLevelSettings[0].tls.caCertificates alpha.yaml:80",
                "IST0101 alpha spec.trafficPolicy.portLevelSettings[0].tls.caCertificates alpha.yaml:80",
            ])
    }

    @Test func aFileThatChangesTakesEffectAndOneThatBreaksDoesNot() throws {
        let files = FakeFiles()
        files["/ca"] = TestPair.authority.certificate
        let compiler = Compiler(options: CompilerOptions(workers: 1), files: files)
        let rule = Self.rule(Self.settings { $0.caCertificates = "/ca" })
        let first = compile(compiler, [rule])
        let again = compile(compiler, [rule])
        #expect(again.snapshot.clusters[0] === first.snapshot.clusters[0] && files.kept == ["/ca"])
        files["/ca"] = TestPair.two.certificate
        let renewed = compile(compiler, [rule])
        #expect(renewed.snapshot.clusters[0].spec.tls?.trust == Self.trusted(TestPair.two.certificate))
        files["/ca"] = "garbage"
        let broken = compile(compiler, [rule])
        #expect(broken.snapshot.clusters[0].spec.tls?.trust == Self.trusted(TestPair.two.certificate))
        #expect(broken.findings.count == 1 && broken.diagnostics[0].message.contains("last good edition"))
        let gone = compile(compiler, [Self.rule(Self.settings(.disable))])
        #expect(gone.snapshot.clusters[0].spec.tls == nil && files.kept.isEmpty && gone.diagnostics.isEmpty)
    }
}

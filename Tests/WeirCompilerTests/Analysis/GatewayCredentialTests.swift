import Testing
import WeirConfig

@testable import WeirCompiler

/// The Secrets that TLS servers name, and the dates of their certificates.
@Suite struct GatewayCredentialTests {
    private static let certificate = TestPair.one.certificate
    private static let key = TestPair.one.key

    private static func secret(
        _ name: String = "cred", crt: String? = certificate, key: String? = key,
        names: (String, String) = ("tls.crt", "tls.key"),
        namespace: String = "default"
    ) -> String {
        var fields: [String] = []
        for (name, text) in [(names.0, crt), (names.1, key)] {
            guard let text else { continue }
            let lines = text.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
            fields.append("  \(name): |\n\(lines)")
        }
        return Doc.core(
            "Secret", name, "stringData:\n" + fields.joined(separator: "\n"), more: ", namespace: \(namespace)")
    }

    private static let invalid = ["IST0161 gw spec.servers[0].tls.credentialName"]
    private static let missing = ["IST0101 gw spec.servers[0].tls.credentialName"]

    private static let rows = [
        AnalysisCase("a good Secret", Doc.tlsGateway("gw", "credentialName: cred") + secret()),
        AnalysisCase(
            "a good Secret of Istio's own key names",
            Doc.tlsGateway("gw", "credentialName: cred") + secret(names: ("cert", "key"))),
        AnalysisCase("no Secret", Doc.tlsGateway("gw", "credentialName: cred"), missing),
        AnalysisCase(
            "a Secret of another namespace", Doc.tlsGateway("gw", "credentialName: cred") + secret(namespace: "other"),
            missing),
        AnalysisCase(
            "the namespace of Istio's own gateway",
            Doc.tlsGateway("gw", "credentialName: cred", selector: "istio: ingressgateway")
                + secret(namespace: "istio-system")),
        AnalysisCase(
            "the namespace of the pods selected",
            Doc.tlsGateway("gw", "credentialName: cred", selector: "app: edge") + secret(namespace: "edge")
                + Doc.pod("p", labels: "app: edge", more: ", namespace: edge")),
        AnalysisCase(
            "not that of the Gateway, when the pods are elsewhere",
            Doc.tlsGateway("gw", "credentialName: cred", selector: "app: edge") + secret()
                + Doc.pod("p", labels: "app: edge", more: ", namespace: edge"), missing),
        AnalysisCase(
            "several Secrets, one missing", Doc.tlsGateway("gw", "credentialNames: [cred, other]") + secret(),
            ["IST0101 gw spec.servers[0].tls.credentialNames[1]"]),
        AnalysisCase(
            "files instead of a Secret", Doc.tlsGateway("gw", "serverCertificate: /c, privateKey: /k")),
        AnalysisCase("no key", Doc.tlsGateway("gw", "credentialName: cred") + secret(key: nil), invalid),
        AnalysisCase("an empty certificate", Doc.tlsGateway("gw", "credentialName: cred") + secret(crt: ""), invalid),
        AnalysisCase(
            "text that is no certificate", Doc.tlsGateway("gw", "credentialName: cred") + secret(crt: "hello"), invalid),
        AnalysisCase(
            "the key of another certificate",
            Doc.tlsGateway("gw", "credentialName: cred") + secret(key: TestPair.two.key), invalid),
        AnalysisCase(
            "a key that is none", Doc.tlsGateway("gw", "credentialName: cred") + secret(key: certificate), invalid),
    ]

    @Test(arguments: rows)
    func secretsOfServers(row: AnalysisCase) {
        #expect(row.found(by: .gatewayCredentials) == row.expected)
    }

    /// From 2020-01-01 to 2021-01-01, both at midnight.
    @Test func certificatesExpireAndBegin() {
        let row = AnalysisCase(
            "",
            Doc.tlsGateway("gw", "credentialName: cred")
                + Self.secret(crt: TestPair.old.certificate, key: TestPair.old.key))
        #expect(row.found(by: .gatewayCredentials, at: 1_577_836_800.0 - 1) == Self.invalid)
        #expect(row.found(by: .gatewayCredentials, at: 1_577_836_800.0) == [])
        #expect(row.found(by: .gatewayCredentials, at: 1_609_459_200.0 - 1) == [])
        #expect(row.found(by: .gatewayCredentials, at: 1_609_459_200.0) == Self.invalid)
    }
}

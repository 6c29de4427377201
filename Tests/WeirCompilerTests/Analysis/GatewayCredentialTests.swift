import Testing
import WeirConfig

@testable import WeirCompiler

/// The Secrets that TLS servers name, and the dates of their certificates.
@Suite struct GatewayCredentialTests {
    /// Valid from 2026-11-21T12:27:10Z to 2036-11-18T12:27:10Z; made for this test, its key thrown away.
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBcjCCARmgAwIBAgIUfFFpTgqYb1RgdgoGzzeuRngOlZ8wCgYIKoZIzj0EAwIw
        DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjExMjI3MTBaFw0zNjExMTgxMjI3MTBa
        MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARuS7Ui
        htq8VuBz/YAhxWqlibS/0liegE6+OE9YEFD8aeFaxFADgJL3yo6pXDIwOuMQX1Ls
        gp9HjE0ymrksjEewo1MwUTAdBgNVHQ4EFgQUYWcLG9+lfoatA58Tzq1/u/f/RsQw
        HwYDVR0jBBgwFoAUYWcLG9+lfoatA58Tzq1/u/f/RsQwDwYDVR0TAQH/BAUwAwEB
        /zAKBggqhkjOPQQDAgNHADBEAiA7ohm+EIqnxW4Kq01oDbFzDF3oJdd1rNtBNmLg
        jVYIQAIgEh3YkOVYLrJzH3fEbM7lJRo8u4NCyFklwx7bBqREJJc=
        -----END CERTIFICATE-----
        """

    private static let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"

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
            "a key that is none", Doc.tlsGateway("gw", "credentialName: cred") + secret(key: certificate), invalid),
    ]

    @Test(arguments: rows)
    func secretsOfServers(row: AnalysisCase) {
        #expect(row.found(by: .gatewayCredentials) == row.expected)
    }

    @Test func certificatesExpireAndBegin() {
        let row = AnalysisCase("", Doc.tlsGateway("gw", "credentialName: cred") + Self.secret())
        #expect(row.found(by: .gatewayCredentials, at: 1_795_264_030.0 - 1) == Self.invalid)
        #expect(row.found(by: .gatewayCredentials, at: 1_795_264_030.0) == [])
        #expect(row.found(by: .gatewayCredentials, at: 2_110_624_030.0 - 1) == [])
        #expect(row.found(by: .gatewayCredentials, at: 2_110_624_030.0) == Self.invalid)
    }

    @Test func datesAreReadFromTheFirstCertificate() {
        let text =
            "leading words\n" + Self.certificate + "\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
        let dates = CertificateDates(pem: Array(text.utf8))
        #expect(dates?.notBefore == 1_795_264_030.0)
        #expect(dates?.notAfter == 2_110_624_030.0)
    }

    /// Every prefix and every changed byte is refused or read, and never traps.
    @Test func damagedCertificatesAreSurvived() {
        let bytes = Array(Self.certificate.utf8)
        for end in stride(from: 0, to: bytes.count, by: 7) { _ = CertificateDates(pem: Array(bytes[..<end])) }
        guard let der = PEMBlock.first(in: bytes, whoseLabelEndsIn: "CERTIFICATE") else {
            Issue.record("the certificate cannot be decoded")
            return
        }
        for place in der.indices {
            for value in [0, 0x7F, 0x80, 0x84, 0xFF] as [UInt8] {
                var damaged = der
                damaged[place] = value
                _ = CertificateDates(der: damaged)
            }
            #expect(CertificateDates(der: Array(der[..<place])) == nil)
        }
    }
}

import Testing
import WeirTestSupport

@testable import WeirEngine

@Suite struct TLSServerContextsTests {
    private func failure(_ spec: TLSServerSpec) -> TLSConfigurationError? {
        do throws(TLSConfigurationError) {
            _ = try TLSServerContexts(spec, workers: 1)
            return nil
        } catch {
            return error
        }
    }

    @Test func aCertificateWithItsKeyServes() throws {
        let contexts = try TLSServerContexts(try TLSFixture.spec(TLSFixture.identities.api), workers: 2)
        #expect(contexts.context(worker: 0) != contexts.context(worker: 1))
        #expect(contexts.certificates.map(\.subject) == ["CN=api.example.com"])
    }

    @Test func whatIsBrokenIsNamed() throws {
        let known = try TLSFixture.identities
        let good = try TLSFixture.spec(known.api)
        #expect(failure(TLSServerSpec(certificates: [])) == .noCertificate)

        var spec = good
        spec.certificates[0].chainPEM = Array("no certificate".utf8)
        guard case .unreadableCertificate(1, _)? = failure(spec) else { return #expect(Bool(false), "\(spec)") }
        let chain = good.certificates[0].chainPEM
        spec.certificates[0].chainPEM =
            chain + Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8)
        guard case .unreadableCertificate(1, _)? = failure(spec) else { return #expect(Bool(false), "\(spec)") }

        spec = good
        spec.certificates[0].keyPEM = []
        guard case .unreadableKey(1, _)? = failure(spec) else { return #expect(Bool(false), "\(spec)") }
        spec.certificates[0].keyPEM = Array(try known.web.keyText.utf8)
        #expect(failure(spec) == .keyOfAnotherCertificate(1))
        spec.certificates[0].keyPEM = Array(try known.apiRSA.keyText.utf8)
        #expect(failure(spec) == .keyOfAnotherCertificate(1))

        guard case .unusableCertificate(2, _)? = failure(try TLSFixture.spec(known.api, known.web)) else {
            return #expect(Bool(false), "two keys of a kind")
        }

        spec = good
        spec.certificates[0].ocspResponse = [1, 2, 3]
        #expect(failure(spec) == .unreadableOCSPResponse(1))

        spec = good
        spec.minVersion = .tls13
        spec.maxVersion = .tls12
        #expect(failure(spec) == .noVersion)

        spec = good
        spec.cipherSuites = ["NO-SUCH-SUITE"]
        #expect(failure(spec) == .noCipherSuite)
    }

    @Test func aChainIsBounded() throws {
        let known = try TLSFixture.identities
        var spec = try TLSFixture.spec(known.api)
        let other = Array(try TLSFixture.authority.certificateText.utf8)
        for _ in 1..<TLSLimits.ownChainCertificates { spec.certificates[0].chainPEM += other }
        #expect(failure(spec) == nil)
        spec.certificates[0].chainPEM += other
        #expect(failure(spec) == .chainTooLong(1, 17))
        #expect(failure(spec)?.description == "certificate 1 has a chain of 17 certificates, more than 16")
    }

    @Test func anEncryptedKeyIsRefusedWithoutAskingForItsPassphrase() throws {
        let known = try TLSFixture.identities
        let encrypted = try Tool("openssl").run(
            ["pkey", "-in", known.api.key, "-aes-128-cbc", "-passout", "pass:secret"])
        var spec = try TLSFixture.spec(known.api)
        spec.certificates[0].keyPEM = Array(encrypted.output.utf8)
        guard case .unreadableKey(1, _)? = failure(spec) else { return #expect(Bool(false), "it was read") }
    }

    @Test func whatClientsAreHeldToIsChecked() throws {
        var spec = try TLSFixture.spec(TLSFixture.identities.api)
        spec.clientVerification = .required
        #expect(failure(spec) == .missingAuthority)
        spec.clientAuthorityPEM = Array("rubbish".utf8)
        guard case .unreadableAuthority? = failure(spec) else { return #expect(Bool(false), "rubbish was read") }
        spec.clientAuthorityPEM = Array(try TLSFixture.authority.certificateText.utf8)
        #expect(failure(spec) == nil)
        spec.revocationListPEM = Array("rubbish".utf8)
        guard case .unreadableRevocationList? = failure(spec) else { return #expect(Bool(false), "rubbish was read") }
        spec.revocationListPEM = []
        spec.publicKeyHashes = ["short"]
        #expect(failure(spec) == .unreadableHash("short"))
        spec.publicKeyHashes = []
        spec.certificateHashes = ["zz"]
        #expect(failure(spec) == .unreadableHash("zz"))
        // Without clients' certificates none of it counts.
        spec.clientVerification = .none
        #expect(failure(spec) == nil)
    }

    @Test func factsOfACertificateAreThoseThatStandInIt() throws {
        let known = try TLSFixture.identities
        let facts = try CertificateFacts.all(inPEM: Array(try known.apiRSA.certificateText.utf8))
        #expect(facts.count == 1)
        let first = try #require(facts.first)
        #expect(first.subject == "CN=api.example.com")
        #expect(first.issuer == "CN=A test's authority")
        #expect(first.dnsNames == ["api.example.com"] && first.uris.isEmpty && first.ipAddresses.isEmpty)
        #expect(first.notAfter - first.notBefore == 2 * 86_400)
        #expect(first.keyType == "RSA 2048" && !first.isAuthority)
        let printed = try Tool("openssl").run(
            ["x509", "-in", known.apiRSA.certificate, "-noout", "-fingerprint", "-sha256", "-serial"])
        let fingerprint = printed.output.split(separator: "\n")[0].drop { $0 != "=" }.dropFirst()
        #expect(first.sha256 == fingerprint.filter { $0 != ":" }.lowercased())
        let serial = printed.output.split(separator: "\n")[1].drop { $0 != "=" }.dropFirst()
        #expect(first.serialNumber == serial.lowercased())
        let root = try CertificateFacts.all(inPEM: Array(try TLSFixture.authority.certificateText.utf8))
        #expect(root.first?.isAuthority == true && root.first?.keyType == "ECDSA P-256")
    }

    @Test func namesInCertificatesStandForOneLabel() {
        #expect(HostName.matches(pattern: "*.example.com", "a.EXAMPLE.com"))
        #expect(!HostName.matches(pattern: "*.example.com", "a.b.example.com"))
        #expect(!HostName.matches(pattern: "*.example.com", "example.com"))
        #expect(!HostName.matches(pattern: "*.example.com", ".example.com"))
        #expect(HostName.matches(pattern: "Example.com", "example.COM"))
    }
}

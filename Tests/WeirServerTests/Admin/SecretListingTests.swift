import Testing
import WeirCompiler
import WeirConfig
import WeirEngine
import WeirTestSupport

@testable import WeirServer

/// What `weir secrets` and the metrics tell of the certificates that servers name.
@Suite struct SecretListingTests {
    /// A Gateway with a server for each of these Secrets, and the Secrets there are.
    private func statuses(_ names: [String], _ secrets: [String: TestAuthority.Identity]) throws -> [CertificateStatus]
    {
        let servers = names.map { name in
            """
              - port: {number: 443, name: \(name), protocol: HTTPS}
                hosts: [\(name).example.com]
                tls: {mode: SIMPLE, credentialName: \(name)}

            """
        }
        let gateway =
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  servers:\n"
            + servers.joined()
        let documents = try secrets.map { name, identity in
            let values = [("tls.crt", try identity.certificateText), ("tls.key", try identity.keyText)].map {
                key, text in
                "  \(key): |\n" + text.split(separator: "\n").map { "    \($0)\n" }.joined()
            }
            return "apiVersion: v1\nkind: Secret\nmetadata: {name: \(name)}\nstringData:\n" + values.joined()
        }
        let resources = DocumentSplitter.split(Array(([gateway] + documents).joined(separator: "---\n").utf8)).flatMap {
            DocumentDecoder().decode($0, file: "a.yaml").resources
        }
        return Compiler(options: CompilerOptions(workers: 1)).compile(ResourceSet(resources)).certificates
    }

    private func rows(_ statuses: [CertificateStatus], _ filter: [String: String?] = [:]) -> [SecretRow] {
        var cursor = SecretCursor(statuses, ListingFilter(filter))
        var rows: [SecretRow] = []
        while let some = cursor.next() { rows += some }
        return rows
    }

    @Test func everyStateIsListedWithItsReason() throws {
        let authority = try TestAuthority()
        let identity = try authority.issue(["one.example.com", "www.example.com", "more.example.com"])
        let statuses = try statuses(["one", "two"], ["one": identity])
        let rows = rows(statuses)
        #expect(rows.map(\.name) == ["default/one", "default/two"])
        #expect(rows.map(\.status) == ["ACTIVE", "MISSING"])
        #expect(rows.map(\.valid) == [true, false])
        #expect(rows.map(\.usedBy) == [["Gateway default/gw one"], ["Gateway default/gw two"]])
        #expect(rows[0].certificates.map(\.names) == [["one.example.com", "www.example.com", "more.example.com"]])
        #expect(rows[1].problem == "there is no Secret default/two")
        let lines = ListingTables.secrets(rows).lines
        #expect(lines[0].hasPrefix("RESOURCE NAME  TYPE        STATUS   VALID CERT  SERIAL NUMBER"))
        #expect(lines[1].contains("one.example.com, www.example.com + 1 more"))
        #expect(lines[2].hasSuffix("Gateway default/gw two  there is no Secret default/two"))
    }

    @Test func rowsAreNarrowed() throws {
        let statuses = try statuses(["one", "two"], [:])
        #expect(rows(statuses, ["name": "two"]).map(\.name) == ["default/two"])
        #expect(rows(statuses, ["status": "missing"]).count == 2)
        #expect(rows(statuses, ["type": "cert chain"]).count == 2)
        #expect(rows(statuses, ["type": "ca"]).isEmpty)
    }

    @Test func expiryIsAMetric() throws {
        let authority = try TestAuthority()
        let statuses = try statuses(["one", "two"], ["one": try authority.issue(["one.example.com"])])
        var text = MetricText()
        CertificateMetrics(certificates: statuses).write(into: &text)
        let metrics = PrometheusText(String(decoding: text.take(), as: UTF8.self))
        #expect(metrics.sum("weir_certificates", ["status": "active"]) == 1)
        #expect(metrics.sum("weir_certificates", ["status": "missing"]) == 1)
        let expiry = metrics.samples("weir_certificate_expiry_timestamp_seconds")
        #expect(expiry.map { $0["name"] } == ["default/one"])
        #expect(expiry.map(\.value) == statuses.flatMap(\.certificates).map { Double($0.notAfter) })
    }
}

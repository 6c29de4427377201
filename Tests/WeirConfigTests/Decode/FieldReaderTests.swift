import Testing
import WeirConfig

@Suite struct FieldReaderTests {
    private func rule(_ spec: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: a}
        spec:
        \(spec.indented(2))
        """
    }

    private func decodedRule(_ spec: String) throws -> DestinationRule {
        let document = decodeOne(rule(spec))
        #expect(document.diagnostics.isEmpty)
        guard case .destinationRule(let decoded) = try #require(document.resources.first).spec else {
            throw WrongKind()
        }
        return decoded
    }

    private struct WrongKind: Error {}

    @Test func reportsUnknownFieldsWithoutRefusing() {
        let document = decodeOne(rule("host: a\nsubset: []\nsubsets:\n- name: v1\n  label: {a: b}\nzzz: 1"))
        #expect(document.resources.count == 1)
        let lines = document.diagnostics.map { "\($0.code.rawValue) \($0.location.line) \($0.path)" }
        #expect(lines == ["WEIR0002 9 spec.subsets[0].label", "WEIR0002 6 spec.subset", "WEIR0002 10 spec.zzz"])
        #expect(document.diagnostics[0].message.contains("Did you mean labels?"))
        #expect(document.diagnostics[1].message.contains("Did you mean subsets?"))
        #expect(!document.diagnostics[2].message.contains("Did you mean"))
    }

    @Test func reportsUnknownFieldsBesideTheSpecOfIstiosKindsOnly() {
        #expect(findings(rule("host: a") + "\nextra: 1\nstatus: {}") == ["warning WEIR0002 6 extra"])
        #expect(findings("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nextra: 1\nspec: {x: 1}\n").isEmpty)
    }

    @Test func acceptsTheSnakeCaseNamesOfProtoJSON() throws {
        let decoded = try decodedRule(
            "host: a\ntraffic_policy:\n  connection_pool:\n    tcp: {connect_timeout: 5s}\n    http: {idle_timeout: 1s}"
        )
        #expect(decoded.trafficPolicy?.connectionPool?.connectTimeoutMilliseconds == 5_000)
        #expect(decoded.trafficPolicy?.connectionPool?.idleTimeoutMilliseconds == 1_000)
    }

    @Test func refusesAFieldInTwoSpellings() {
        let yaml = rule("host: a\ntrafficPolicy: {tls: {}}\ntraffic_policy: {tls: {}}")
        #expect(findings(yaml).first == "error 7 spec.trafficPolicy")
    }

    @Test func followsMergeKeysAndAnchors() throws {
        let decoded = try decodedRule(
            """
            host: &host a
            subsets:
            - &base
              name: v1
              labels: &labels {app: web, version: v1}
            - <<: *base
              name: v2
              labels:
                <<: [*labels, {tier: x, app: never}]
                version: v2
            """)
        #expect(decoded.subsets.map(\.name) == ["v1", "v2"])
        #expect(decoded.subsets[1].labels == ["app": "web", "version": "v2", "tier": "x"])
    }

    @Test(arguments: ["<<: 5", "<<: [5]", "<<:"])
    func refusesAMergeOfNoMapping(line: String) {
        #expect(findings(rule("host: a\n" + line)).first == "error 4 spec")
    }

    @Test(arguments: [
        ("host: 5", "error 5 spec.host"), ("host: 1.5e3", "error 5 spec.host"), ("host: true", "error 5 spec.host"),
        ("host: yes", "error 5 spec.host"), ("host: [a]", "error 5 spec.host"), ("host: {a: b}", "error 5 spec.host"),
        ("host: a\nsubsets: {}", "error 6 spec.subsets"), ("host: a\nsubsets: [v1]", "error 6 spec.subsets[0]"),
        ("host: a\nsubsets: [{name: v1, labels: {a: 1}}]", "error 6 spec.subsets[0].labels.a"),
        ("host: a\nsubsets: [{name: v1, labels: [a]}]", "error 6 spec.subsets[0].labels"),
        ("host: a\ntrafficPolicy: x", "error 6 spec.trafficPolicy"),
        ("host: a\n[x]: y", "error 6 spec"),
    ])
    func refusesAWrongTypeOnceAndWhereItStands(spec: String, expected: String) {
        #expect(findings(rule(spec)) == [expected])
    }

    @Test(arguments: ["\"5\"", "'true'", "!!str 5", "\"yes\"", "v5"])
    func takesQuotedWordsForText(word: String) throws {
        #expect(try decodedRule("host: \(word)").host.isEmpty == false)
    }

    @Test(arguments: ["80", "80.0", "\"80\"", "8e1"])
    func readsWholeNumbersHoweverJSONWritesThem(word: String) throws {
        let decoded = try decodedRule(
            "host: a\ntrafficPolicy: {portLevelSettings: [{port: {number: \(word)}, loadBalancer: {simple: RANDOM}}]}")
        #expect(decoded.trafficPolicy?.portLevelSettings.first?.port == 80)
    }

    @Test(arguments: [
        "80.5", "-1", "99999999999999999999", "1e300", "-1e300", "nan", ".inf", "eighty", "true", "[80]", "{}",
        "9223372036854775807", "-9223372036854775808", "4294967296",
    ])
    func refusesNumbersThatAreNoPort(word: String) {
        let yaml = rule("host: a\ntrafficPolicy: {portLevelSettings: [{port: {number: \(word)}, loadBalancer: {}}]}")
        let isRefused = findings(yaml).contains { $0.hasPrefix("error 6 spec.trafficPolicy.portLevelSettings[0].port") }
        #expect(isRefused)
    }

    @Test func takesNullForAbsent() throws {
        let decoded = try decodedRule("host: a\ntrafficPolicy:\nsubsets: ~\nexportTo: null")
        #expect(decoded.trafficPolicy == nil)
        #expect(decoded.subsets.isEmpty)
    }

    @Test func readsJSON() throws {
        let document = decodeOne(
            #"{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"a"},"spec":{"host":"a\/b"}}"#
        )
        #expect(document.refused.count == 1)
        #expect(document.diagnostics.map(\.path) == ["spec.host"])
    }

    @Test func stopsReportingAfterAHundredFindings() {
        let fields = (0..<500).map { "x\($0): 1" }.joined(separator: "\n")
        let document = decodeOne(rule("host: a\n" + fields))
        #expect(document.resources.count == 1)
        #expect(document.diagnostics.count == 101)
        #expect(document.diagnostics.last?.message.contains("400 more") == true)
    }
}

import Testing
import WeirConfig

/// Fields that are read and not acted on by this version are reported, each where it stands.
///
/// Whoever serves one takes its row out.
@Suite struct UnservedTests {
    private struct Case: CustomTestStringConvertible {
        var field: String
        var yaml: String
        var path: String
        var testDescription: String { field }
    }

    private static func document(_ kind: String, _ spec: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: \(kind)
        metadata: {name: a}
        spec:
        \(spec.indented(2))
        """
    }

    private static func match(_ field: String, _ value: String) -> Case {
        let entry = "match: [{\(field): \(value)}], route: [{destination: {host: a}}]"
        let yaml = document("VirtualService", "hosts: [a.b]\nhttp: [{\(entry)}]")
        return Case(field: field, yaml: yaml, path: "spec.http[0].match[0].\(field)")
    }

    private static func rule(_ field: String, _ value: String) -> Case {
        Case(
            field: field, yaml: document("DestinationRule", "host: a\n\(field): \(value)"), path: "spec.\(field)")
    }

    private static func policy(_ path: String, _ value: String) -> Case {
        let names = path.split(separator: ".")
        let text = names.reversed().reduce(value) { "{\($1): \($0)}" }
        let yaml = document("DestinationRule", "host: a\ntrafficPolicy: \(text)")
        return Case(field: path, yaml: yaml, path: "spec.trafficPolicy.\(path)")
    }

    private static let virtualServices: [Case] = [match("statPrefix", "a")]

    private static let destinationRules: [Case] = [
        policy("loadBalancer.zoneAwareLbSetting", "{enabled: true}"),
        policy("tunnel", "{targetHost: a.b, targetPort: 80}"),
        policy("retryBudget.budgetInterval", "1s"),
    ]

    @Test(arguments: virtualServices + destinationRules)
    private func whatIsNotActedOnIsReportedWhereItStands(field: Case) {
        #expect(unserved(field.yaml) == [field.path])
        let findings = decodeAll(field.yaml).flatMap(\.diagnostics)
        #expect(findings.allSatisfy { $0.severity != .error })
        let report = findings.first { $0.code == .fieldNotHonoured }
        #expect(report?.severity == .warning)
        #expect(report?.message.contains(" is not acted on by this version; ") == true)
    }
}

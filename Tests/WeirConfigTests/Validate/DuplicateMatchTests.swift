import Testing
import WeirConfig

@Suite struct DuplicateMatchTests {
    /// Entries of `http:` from line 7 on, each with the matches given.
    private static func service(_ matches: String?...) -> String {
        let entries = matches.map { match in
            "- {" + (match.map { "match: [\($0)], " } ?? "") + "route: [{destination: {host: a}}]}"
        }
        return """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: [a.b]
              http:
            \(entries.joined(separator: "\n").indented(2))
            """
    }

    private static let rules: [Rule] = [
        Rule("different matches", service("{uri: {prefix: /a}}", "{uri: {exact: /a}}", nil)),
        Rule(
            "one match again", service("{uri: {prefix: /a}}", "{uri: {prefix: /b}}, {uri: {prefix: /a}}"),
            ["info IST0131 8 spec.http[1].match[1]"]),
        Rule(
            "all matches again", service("{uri: {prefix: /a}}, {port: 80}", "{port: 80}"),
            ["info IST0131 8 spec.http[1].match[0]", "warning IST0130 8 spec.http[1]"]),
        Rule(
            "under another name", service("{name: x, uri: {prefix: /a}}", "{name: y, uri: {prefix: /a}}"),
            ["info IST0131 8 spec.http[1].match[0]", "warning IST0130 8 spec.http[1]"]),
        Rule(
            "with headers in another order", service("{headers: {a: {}, B: {}}}", "{headers: {b: {}, A: {}}}"),
            ["info IST0131 8 spec.http[1].match[0]", "warning IST0130 8 spec.http[1]"]),
        Rule(
            "twice in one entry", service("{port: 80}, {port: 80}"), ["info IST0131 7 spec.http[0].match[1]"]),
        Rule("behind an entry that takes all", service("{port: 80}", nil, "{port: 80}")),
    ]

    @Test(arguments: rules)
    func findsMatchesThatTakeNoRequest(rule: Rule) {
        #expect(findings(rule.yaml) == rule.expected)
        #expect(!decodeOne(rule.yaml).resources.isEmpty)
    }

    @Test func namesTheMatchThatTakesTheRequests() throws {
        let document = decodeOne(Self.service("{port: 80}", "{port: 80}"))
        let finding = try #require(document.diagnostics.first { $0.code == .ineffectiveMatch })
        #expect(finding.message.contains("spec.http[0].match[0]"))
    }
}

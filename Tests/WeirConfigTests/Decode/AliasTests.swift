import Testing
import WeirConfig

@Suite struct AliasTests {
    private let head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"

    /// `levels` anchors, each a list of nine aliases to the one before.
    private func laughs(_ levels: Int, indent: Int) -> String {
        var lines = ["l0: &l0 {a: b}"]
        for level in 1...levels {
            let aliases = Array(repeating: "*l\(level - 1)", count: 9).joined(separator: ", ")
            lines.append("l\(level): &l\(level) [\(aliases)]")
        }
        return lines.joined(separator: "\n").indented(indent)
    }

    @Test func neverReadsWhatNobodyAsksFor() {
        let document = decodeOne(head + "spec:\n" + laughs(30, indent: 2))
        #expect(document.resources.count == 1)
        #expect(document.diagnostics.isEmpty)
    }

    @Test func stopsReadingWhenAliasesMultiply() {
        var lines = ["<<: &l0 {a: b}"]
        for level in 1...9 {
            let aliases = Array(repeating: "*l\(level - 1)", count: 9).joined(separator: ", ")
            lines.append("l\(level): &l\(level) {<<: [\(aliases)]}")
        }
        lines.append("labels: *l9")
        let document = decodeOne(head + lines.joined(separator: "\n").indented(2))
        #expect(document.refused.count == 1)
        #expect(document.diagnostics.count(where: { $0.message.contains("aliases multiply") }) == 1)
    }

    @Test(arguments: ["? *l30\n  : x", "*l30 : x", "x: {*l30, y: z}", "? [*l30]\n  : x", "x: {[*l30]: y}"])
    func refusesAliasesInKeysBeforeTheyAreHashed(key: String) {
        let document = decodeOne(head + "spec:\n" + laughs(30, indent: 2) + "\n  " + key + "\n")
        #expect(document.unparsable)
        #expect(document.diagnostics.count == 1)
        #expect(document.diagnostics.first?.code == .unreadableFile)
    }

    @Test func refusesThousandsOfAliases() {
        let aliases = Array(repeating: "*a", count: 2_000).joined(separator: ", ")
        #expect(decodeOne(head + "spec:\n  a: &a b\n  c: [\(aliases)]\n").unparsable)
    }

    @Test func refusesChainsOfAliasesThatNestDeeperThanTheParserAllows() {
        let (open, close) = (String(repeating: "[", count: 100), String(repeating: "]", count: 100))
        let chain = { (levels: Int) in
            (1...levels).map { "  x\($0): &x\($0) \(open)*x\($0 - 1)\(close)\n" }.joined()
        }
        #expect(decodeOne(head + "spec:\n  x0: &x0 a\n" + chain(9)).resources.count == 1)
        let document = decodeOne(head + "spec:\n  x0: &x0 a\n" + chain(900))
        #expect(document.unparsable)
        #expect(document.diagnostics.first?.message.contains("nest deeper") == true)
        #expect(document.diagnostics.first?.location.line == 17)
    }

    @Test(arguments: [(64, true), (65, false)])
    func mergesNestNoDeeperThanTheLimit(levels: Int, isTaken: Bool) {
        // Each merges the one before.
        let merges = (1...levels).map { "m\($0): &m\($0) {<<: *m\($0 - 1)}" }
        let lines = ["m0: &m0 {a: b}"] + merges + ["labels: *m\(levels)"]
        let document = decodeOne(head + lines.joined(separator: "\n").indented(2))
        #expect(document.diagnostics.contains { $0.message.contains("nested too deeply") } != isTaken)
        #expect(document.resources.count == (isTaken ? 1 : 0))
    }

    @Test func takesStarsInTextForText() {
        let document = decodeOne(head + "spec:\n  a: &a \"*b *c\"\n  d: *a\n  \"*e\": '? *f'\n")
        #expect(document.resources.count == 1)
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "a:\n"])
    func survivesDeepNesting(opening: String) {
        for depth in [60, 900, 5_000] {
            _ = decodeOne(String(repeating: opening, count: depth))
            _ = decodeOne(head + "spec: " + String(repeating: opening, count: depth))
        }
    }
}

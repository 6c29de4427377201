import Testing

@testable import WeirEngine

@Suite struct RegexProgramTests {
    private func needed(_ pattern: String) throws -> Set<String> {
        Set(try RegexSet(pattern: pattern, workers: 1).neededTexts)
    }

    @Test func textsThatEveryMatchHoldsAreFound() throws {
        #expect(try needed("/cart/[0-9]+") == ["/cart/"])
        #expect(try needed("^(.*?;)?(user=Jason)(;.*)?$") == ["user=jason"])
        #expect(try needed("/[a-z]+/end") == ["/end"])
        #expect(try needed("[0-9]+").isEmpty)
        #expect(try needed(".*").isEmpty)
        #expect(try needed("").isEmpty)
        // One of two is no text that every match holds.
        #expect(try needed("apple|pear").isEmpty)
    }

    @Test func noTextIsNamedWhereCaseFoldsBeyondASCII() throws {
        // The Kelvin sign equals a k for RE2.
        #expect(try needed("(?i)kelvin").isEmpty)
        #expect(try needed("(?s-U:a.b)(?Ui:kelvin)").isEmpty)
        #expect(try needed("caf\u{e9}-menu").isEmpty)
        #expect(try needed("(?P<i>menu)") == ["menu"])
    }

    @Test func everyMatchHoldsTheNeededTexts() throws {
        // Patterns, and texts that they match or nearly match.
        let parts: [(pattern: String, texts: [String])] = [
            ("ab", ["ab", "AB"]), ("[a-c]x", ["ax", "cx"]), ("(ab|cd)", ["ab", "cd"]), ("q?", ["q", ""]),
            ("(xyz)+", ["xyz", "xyzxyz", "XYZ"]), (".", ["z", "K"]), ("\\.com", [".com"]), ("[^a]b", ["bb", "Bb"]),
            ("AB", ["AB", "ab"]), ("(a|ab)(c|bcd)", ["abcd", "ac", "abc"]),
        ]
        var random = SeededRandom(11)
        var matched = 0
        for _ in 0..<400 {
            let chosen = (0..<3).map { _ in parts[Int.random(in: 0..<parts.count, using: &random)] }
            let pattern = chosen.map(\.pattern).joined()
            let regex = try RegexSet(pattern: pattern, workers: 1)
            let needed = regex.neededTexts
            for _ in 0..<10 {
                let text = chosen.map { $0.texts[Int.random(in: 0..<$0.texts.count, using: &random)] }.joined()
                guard text.withBytes({ RegexProgram.matches(regex.handles, worker: 0, $0) }) else { continue }
                matched += 1
                let folded = text.asciiLowercased
                #expect(needed.allSatisfy { folded.contains($0) }, "\(pattern) matches \(text), not \(needed)")
            }
        }
        #expect(matched > 1000, "\(matched)")
    }
}

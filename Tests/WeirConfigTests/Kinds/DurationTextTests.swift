import Testing

@testable import WeirConfig

@Suite struct DurationTextTests {
    @Test(arguments: [
        ("1h30m", 5_400_000_000_000), ("250ms", 250_000_000), ("0.5s", 500_000_000), ("1.5s", 1_500_000_000),
        ("10s", 10_000_000_000), ("1us", 1_000), ("1\u{B5}s", 1_000), ("7ns", 7), ("0", 0), ("0s", 0),
        ("-1s", -1_000_000_000),
        ("+1s", 1_000_000_000), (".5s", 500_000_000), ("5.s", 5_000_000_000), ("1s500ms", 1_500_000_000),
        ("0.000000001s", 1), ("0.0000000019999999999999999999999s", 1), ("0.1h", 360_000_000_000),
    ])
    func readsGoAndProtoForms(text: String, nanoseconds: Int) {
        #expect(DurationText.nanoseconds(text) == nanoseconds)
    }

    @Test(arguments: [
        "", "s", "5", "1.5", "1 s", " 1s", "1s ", "1d", "1S", ".", ".s", "-", "+", "1s2", "1.2.3s", "--1s",
        "99999999999999999999s", "9223372036s9223372036s", "2562048h", "1e3s", "\u{0661}s",
    ])
    func refusesEverythingElse(text: String) {
        #expect(DurationText.nanoseconds(text) == nil)
    }
}

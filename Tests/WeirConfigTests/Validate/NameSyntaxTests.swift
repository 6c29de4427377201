import Testing

@testable import WeirConfig

@Suite struct NameSyntaxTests {
    @Test(arguments: ["a", "A1", "a-b", "0", String(repeating: "a", count: 63)])
    func takesLabels(text: String) { #expect(NameSyntax.isDNSLabel(text)) }

    @Test(arguments: ["", "-a", "a-", "a.b", "a_b", "\u{E9}", " a", String(repeating: "a", count: 64)])
    func refusesWhatIsNoLabel(text: String) { #expect(!NameSyntax.isDNSLabel(text)) }

    @Test(arguments: ["a", "a.b", "a.b.", "1.a", "7"])
    func takesDomains(text: String) { #expect(NameSyntax.isDomain(text)) }

    @Test(arguments: [
        "", ".", "a..b", ".a", "*.a", "a b", "10.0.0.1", "10.0.0.300", String(repeating: "a.", count: 128),
    ])
    func refusesWhatIsNoDomain(text: String) { #expect(!NameSyntax.isDomain(text)) }

    @Test(arguments: [
        ("*", true), ("*.a", true), ("a", true), ("*a.b", false), ("*.", false), ("a.*", false), ("*.*.a", false),
    ])
    func takesAWildcardAsTheFirstLabelOnly(text: String, isTaken: Bool) {
        #expect(NameSyntax.isWildcardDomain(text) == isTaken)
    }

    @Test(arguments: [
        ("app", true), ("a.b/c_d", true), ("", false), ("a/", false), ("/a", false), ("a/b/c", false), ("-a", false),
    ])
    func knowsLabelNames(text: String, isTaken: Bool) { #expect(NameSyntax.isLabelKey(text) == isTaken) }

    @Test(arguments: [
        ("x-a", true), ("!#$%&'*+-.^_`|~", true), ("", false), ("a b", false), (":a", false), ("\u{E9}", false),
    ])
    func knowsHeaderNames(text: String, isTaken: Bool) { #expect(NameSyntax.isHeaderName(text) == isTaken) }

    @Test(arguments: [
        ("unix:///a", true), ("unix://@a", true), ("unix://", false), ("unix:///", false), ("unix://a", false),
        ("/a", false),
    ])
    func knowsSockets(text: String, isTaken: Bool) { #expect((NameSyntax.unixPath(text) != nil) == isTaken) }
}

@Suite struct IPAddressSyntaxTests {
    @Test(arguments: [
        "0.0.0.0", "255.255.255.255", "10.0.0.1", "::", "::1", "1::", "fd00::1", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1",
        "1:2:3:4:5:6:10.0.0.1", "1::3:4:5:6:7:8", "FE80::a",
    ])
    func takesAddresses(text: String) { #expect(IPAddressSyntax.isAddress(text)) }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.", "a.b.c.d", "+1.2.3.4", ":", ":::", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7::8", "12345::", "g::", "fe80::1%eth0", "[::1]", "::10.0.0.1:1",
        ":1", "1:",
        "10.0.0.1::", "10.0.0.0/8",
    ])
    func refusesEverythingElse(text: String) { #expect(!IPAddressSyntax.isAddress(text)) }
}

@Suite struct RegexCheckTests {
    @Test(arguments: ["a", ".*", "(?i)a|b", "\\d{3}", "[[:alpha:]]+", "(?P<n>a)", "\u{E9}"])
    func takesRE2(pattern: String) { #expect(RegexCheck.problem(pattern) == nil) }

    @Test(arguments: ["*", "(", "a{1001}", "(?=a)", "(?<!a)b", "\\1", "[b-a]", "(?P<n", "((a{100}){100}){100}"])
    func saysWhatIsWrong(pattern: String) throws {
        let problem = try #require(RegexCheck.problem(pattern))
        #expect(problem.contains("RE2"))
    }
}

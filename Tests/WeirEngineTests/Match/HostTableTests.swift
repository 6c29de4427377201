import Testing

@testable import WeirEngine

@Suite struct HostTableTests {
    private static let patterns = [
        "*", "shop.example.com", "*.example.com", "*.b.example.com", "[2001:db8::1]", "10.0.0.1", "*.com",
    ]

    @Test(arguments: [
        ("shop.example.com", 1), ("SHOP.Example.COM", 1), ("shop.example.com:8080", 1), ("shop.example.com:", 1),
        ("www.example.com", 2), ("a.c.example.com", 2), ("a.b.example.com", 3), ("x.A.B.example.com:1", 3),
        ("b.example.com", 2), ("example.com", 6), (".example.com", 6), ("xexample.com", 6), ("com", 0), ("", 0),
        ("shop.example.com.", 0), ("[2001:DB8::1]", 4), ("[2001:db8::1]:443", 4), ("[2001:db8::2]:443", 0),
        ("10.0.0.1:80", 5), ("example.org", 0),
    ])
    func exactThenLongestSuffixThenStar(_ authority: String, _ expected: Int32) {
        let table = HostTable(Self.patterns)
        let found = authority.withBytes { table.lookup($0) }
        #expect(found == expected)
    }

    @Test func withoutStarAnUnknownHostHasNoPlace() {
        let table = HostTable(["a.example.com", "*.b.example.com"])
        for authority in ["b.example.com", "c.example.com", "", "a.example.com.", String(repeating: "a.", count: 200)] {
            let found = authority.withBytes { table.lookup($0) }
            #expect(found == -1, "\(authority)")
        }
    }

    @Test func longestNameIsFoundAndALongerOneIsNot() {
        let label = String(repeating: "a", count: 49) + "."
        let longest = String(repeating: label, count: 5) + "abcde"
        #expect(longest.utf8.count == 255)
        let table = HostTable([longest, "*." + longest.dropFirst(50)])
        let exact = longest.uppercased().withBytes { table.lookup($0) }
        #expect(exact == 0)
        let beyond = (longest + "x").withBytes { table.lookup($0) }
        #expect(beyond == -1)
    }

    @Test func theFirstOfTwoEqualPatternsCounts() {
        let table = HostTable(["a.com", "A.com", "*", "*", "*.x.com", "*.X.com"])
        let found = ["a.com", "b.com", "1.x.com"].map { $0.withBytes { table.lookup($0) } }
        #expect(found == [0, 2, 4])
    }

    @Test func everyOneOfTenThousandHostsIsFound() {
        let names = (0..<10_000).map { $0 % 3 == 0 ? "*.h\($0).example.com" : "h\($0).example.com" }
        let table = HostTable(names)
        for (number, name) in names.enumerated() {
            let host = name.hasPrefix("*") ? "x" + name.dropFirst() : name
            let found = host.withBytes { table.lookup($0) }
            #expect(found == Int32(number))
        }
        let missing = "h10000.example.com".withBytes { table.lookup($0) }
        #expect(missing == -1)
    }
}

import Testing

@testable import WeirServer

/// Tables as people read them.
@Suite struct TextTableTests {
    @Test func columnsAlignAndLinesEndWithTheirText() {
        var table = TextTable([("NAME", .left), ("N", .right), ("NOTE", .left)])
        table.add(["a", "1", ""])
        table.add(["longer", "1234", "x"])
        table.add(["", "22"])
        #expect(
            table.lines == [
                "NAME       N  NOTE",
                "a          1",
                "longer  1234  x",
                "          22",
            ])
    }

    @Test func whatUsersWroteCannotBreakALine() {
        var table = TextTable(["A"])
        table.add(["x\ny\u{1B}[31m"])
        #expect(table.lines == ["A", "x?y?[31m"])
    }

    @Test func sharesAddUpForTheEye() {
        #expect(ListingTables.share(90, of: 100) == "90%")
        #expect(ListingTables.share(1, of: 3) == "33.3%")
        #expect(ListingTables.share(1, of: 10_000) == "<0.1%")
        #expect(ListingTables.share(0, of: 10) == "0%")
        #expect(ListingTables.share(0, of: 0) == "0%")
    }
}

import Testing

@testable import WeirServer

/// Queries of the admin API.
@Suite struct QueryItemsTests {
    @Test func pairsAreDecodedInOrder() throws {
        let items = try #require(QueryItems("a=1&b=x%20y+z&c&a=2&&d=%7c=%7C"))
        #expect(items.all.map(\.name) == ["a", "b", "c", "a", "d"])
        #expect(items.all.map(\.value) == ["1", "x y z", "", "2", "|=|"])
        #expect(items["a"] == "2")
        #expect(items["z"] == nil)
        #expect(QueryItems("")?.all.isEmpty == true)
    }

    @Test(arguments: ["a=%", "a=%4", "a=%g0", "%ff=1"])
    func malformedEscapesAreRefused(query: String) {
        #expect(QueryItems(query) == nil)
    }

    @Test func whatIsWrittenReadsTheSame() throws {
        let items = [(name: "cluster", value: "outbound|80|ü|a.b"), (name: "host", value: "*.a&b=c")]
        let read = try #require(QueryItems(QueryItems.text(items)))
        #expect(read.all.map(\.name) == items.map(\.name))
        #expect(read.all.map(\.value) == items.map(\.value))
    }
}

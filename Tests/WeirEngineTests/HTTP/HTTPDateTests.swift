import Testing

@testable import WeirEngine

@Suite("HTTP dates")
struct HTTPDateTests {
    @Test(
        "A time is written as an IMF-fixdate",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        ])
    func known(seconds: Int, expected: String) {
        var date = HTTPDate()
        let bytes = date.bytes(unixSeconds: seconds)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test("Each second has its own text, each day follows the last")
    func advances() {
        var date = HTTPDate()
        var last = ""
        for day in 0..<3000 {
            let text = String(decoding: date.bytes(unixSeconds: day * 86_400 + day), as: UTF8.self)
            #expect(text != last)
            #expect(text == String(decoding: date.bytes(unixSeconds: day * 86_400 + day), as: UTF8.self))
            last = text
        }
        #expect(last == "Sun, 19 Mar 1978 00:49:59 GMT")
    }
}

import Testing

@testable import WeirEngine

/// What is kept aside for a line.
@Suite struct LogCaptureTests {
    private static func keep(_ text: String, at place: Int, _ capture: inout LogCapture) {
        Array(text.utf8).withUnsafeBytes { capture.keep($0, at: place) }
    }

    private static func kept(_ place: Int, _ capture: borrowing LogCapture) -> String? {
        capture.value(at: place).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func aNewRequestKnowsNothingOfTheOneBefore() {
        var capture = LogCapture()
        #expect(Self.kept(0, capture) == nil)
        Self.keep("route", at: LogCapture.routeName, &capture)
        Self.keep("", at: 3, &capture)
        #expect(Self.kept(0, capture) == "route" && Self.kept(3, capture) == "" && Self.kept(1, capture) == nil)
        capture.reset()
        #expect(Self.kept(0, capture) == nil && Self.kept(3, capture) == nil)
    }

    @Test func whatIsKeptIsBounded() {
        var capture = LogCapture()
        let long = String(repeating: "x", count: 5000)
        for place in 0...AccessLogLimits.responseHeaders { Self.keep(long, at: place, &capture) }
        let counts = (0...AccessLogLimits.responseHeaders).map { capture.value(at: $0)?.count ?? -1 }
        #expect(counts == [1024, 1024, 1024, 1024] + Array(repeating: 0, count: 13))
    }
}

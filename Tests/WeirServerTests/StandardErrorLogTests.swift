import Logging
import Testing

@testable import WeirServer

/// The shape of a log line.
@Suite struct StandardErrorLogTests {
    @Test func oneLineWithTimeLevelMessageAndSortedValues() {
        let line = StandardErrorLog.line(
            unixSeconds: 1_769_860_800.25, level: .warning, message: "a message", metadata: ["b": "2", "a": "1"])
        #expect(line == "2026-01-31T12:00:00.250Z warning a message a=1 b=2\n")
    }

    @Test func whatUsersWriteCannotBreakTheLine() {
        let line = StandardErrorLog.line(
            unixSeconds: 0, level: .error, message: "one\ntwo\r\u{1B}[31m",
            metadata: ["empty": "", "k": "x=1 \"y\"", "path": "a\nb"])
        #expect(
            line == "1970-01-01T00:00:00.000Z error one\\ntwo\\r?[31m empty=\"\" k=\"x=1 \\\"y\\\"\" path=a\\nb\n")
    }

    @Test func aLoggerTakesItsLevel() {
        #expect(Logger(level: .error).logLevel == .error)
    }
}

import Foundation
import Testing
import WeirTestSupport

@testable import WeirEngine
@testable import WeirServer

/// The thread between the workers' rings and a file, a pipe or a disk that is full.
@Suite struct AccessLogWriterTests {
    /// A log with its writer, fed by the test in the workers' place.
    private final class Feed {
        let log: AccessLog
        private let record = LogRecord()
        private var kept: [String] = []
        let writer: AccessLogWriter
        private var first: AccessLogProducer
        private var second: AccessLogProducer

        init(_ path: String) throws {
            // As `weir serve` does: a reader that has gone is an error of the write, not the end of the process.
            signal(SIGPIPE, SIG_IGN)
            log = try AccessLog(format: .istioText, workers: 2)
            writer = try AccessLogWriter(log, target: .file(path), log: record.logger)
            first = AccessLogProducer(log.rings[0], wakeDescriptor: log.wakeDescriptor)
            second = AccessLogProducer(log.rings[1], wakeDescriptor: log.wakeDescriptor)
        }

        /// What the server's log says.
        var said: [String] {
            kept += record.take()
            return kept
        }

        /// Puts a line into a ring; `false` when it has no room.
        @discardableResult
        func put(_ line: String, ring: Int = 0) -> Bool {
            let bytes = Array((line + "\n").utf8)
            return ring == 0 ? Self.put(bytes, &first) : Self.put(bytes, &second)
        }

        private static func put(_ bytes: [UInt8], _ producer: inout AccessLogProducer) -> Bool {
            guard let room = producer.room(bytes.count) else { return false }
            room.update(from: bytes, count: bytes.count)
            producer.commit(bytes.count)
            return true
        }
    }

    private static func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    @Test func everyRingsLinesReachTheFileInTheirOrder() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("log")
        let feed = try Feed(path)
        for number in 0..<30_000 {
            for ring in 0...1 {
                try eventually("there is room") { feed.put("\(ring) \(number)", ring: ring) }
            }
        }
        feed.writer.stop()
        let lines = Self.lines(Self.text(path))
        for ring in 0...1 {
            #expect(lines.filter { $0.hasPrefix("\(ring) ") } == (0..<30_000).map { "\(ring) \($0)" })
        }
        #expect(lines.count == 60_000 && feed.writer.lostLines == 0)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 & ~0o640 == 0)
    }

    @Test func aFileThatExistsIsContinued() throws {
        let directory = try TemporaryDirectory()
        try directory.write("log", "earlier\n")
        let feed = try Feed(directory.path("log"))
        feed.put("later")
        feed.writer.stop()
        #expect(Self.text(directory.path("log")) == "earlier\nlater\n")
    }

    @Test func afterARotationLinesGoToTheNewFile() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("log")
        let feed = try Feed(path)
        feed.put("first")
        try eventually("the line is written") { Self.text(path) == "first\n" }
        try directory.rename("log", to: "log.1")
        feed.put("second")
        try eventually("the file that was open goes on") { Self.text(directory.path("log.1")) == "first\nsecond\n" }
        feed.writer.reopen()
        try eventually("the name is there again") { FileManager.default.fileExists(atPath: path) }
        feed.put("third")
        feed.writer.stop()
        #expect(Self.text(path) == "third\n" && Self.text(directory.path("log.1")) == "first\nsecond\n")
        #expect(feed.writer.lostLines == 0)
    }

    @Test func aNameThatCannotBeOpenedAgainKeepsTheOldFile() throws {
        let directory = try TemporaryDirectory()
        try directory.makeDirectory("sub")
        let feed = try Feed(directory.path("sub/log"))
        feed.put("first")
        try eventually("the line is written") { Self.text(directory.path("sub/log")) == "first\n" }
        try directory.rename("sub", to: "moved")
        feed.writer.reopen()
        try eventually("the log says so") { feed.said.contains { $0.contains("sub/log: No such file") } }
        feed.put("second")
        feed.writer.stop()
        #expect(Self.text(directory.path("moved/log")) == "first\nsecond\n")
    }

    @Test func aTargetThatCannotBeOpenedIsNamed() throws {
        let directory = try TemporaryDirectory()
        let error = #expect(throws: SocketError.self) { try Feed(directory.path("none/log")) }
        if let error { #expect("\(error)" == "\(directory.path("none/log")): No such file or directory") }
        #expect(throws: SocketError.self) { try Feed(directory.path) }
    }

    // MARK: Targets that do not take what they are given

    @Test func aFullDiskCostsLinesAndNoWorkerWaits() throws {
        let feed = try Feed("/dev/full")
        for number in 0..<1000 { #expect(feed.put("line \(number)")) }
        try eventually("they are given up") { feed.writer.lostLines == 1000 }
        feed.put("one more", ring: 1)
        try eventually("that one too") { feed.writer.lostLines == 1001 }
        feed.writer.stop()
        let said = feed.said.filter { $0.contains("No space left on device") }
        #expect(said.count == 1 && said[0].contains("/dev/full"), "\(said)")
    }

    /// A named pipe whose reader reads when the test says so.
    private final class Pipe {
        let path: String
        private let directory: TemporaryDirectory
        private var descriptor: Int32 = -1

        init() throws {
            directory = try TemporaryDirectory()
            path = directory.path("pipe")
            try #require(mkfifo(path, 0o600) == 0)
            open()
        }

        deinit { close() }

        /// Bytes it holds, 0 when it is not open: Linux's F_GETPIPE_SZ, which Glibc does not offer to Swift.
        var capacity: Int { Int(max(fcntl(descriptor, 1032), 0)) }

        func open() { descriptor = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }

        func close() {
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }

        /// What lies in the pipe now.
        func read() -> [UInt8] {
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                guard count > 0 else { return all }
                all += buffer[..<count]
            }
        }
    }

    @Test func aPipeWithoutAReaderCannotBeOpened() throws {
        let pipe = try Pipe()
        pipe.close()
        let error = #expect(throws: SocketError.self) { try Feed(pipe.path) }
        if let error { #expect(error.code == ENXIO) }
    }

    @Test func aReaderThatPausesLosesOnlyWhatARingCannotHold() throws {
        let pipe = try Pipe()
        let feed = try Feed(pipe.path)
        let line = String(repeating: "x", count: 1000)
        var put = 0
        // A pipe and a ring are soon full, and nobody waits.
        while feed.put("\(put) \(line)") { put += 1 }
        #expect(put > AccessLogRing.capacity / 1100)
        var received: [UInt8] = []
        try eventually("everything arrives") {
            received += pipe.read()
            return received.count { $0 == 10 } == put
        }
        #expect(feed.put("again"))
        feed.writer.stop()
        received += pipe.read()
        let expected = (0..<put).map { "\($0) \(line)" } + ["again"]
        #expect(Self.lines(String(decoding: received, as: UTF8.self)) == expected)
        #expect(feed.writer.lostLines == 0)
    }

    @Test func theEndDoesNotWaitForAReaderForEver() throws {
        let pipe = try Pipe()
        let feed = try Feed(pipe.path)
        let line = String(repeating: "x", count: 1000)
        var put = 0
        while feed.put(line) { put += 1 }
        let start = ContinuousClock.now
        feed.writer.stop()
        #expect(ContinuousClock.now - start < .seconds(10))
        let written = pipe.read().count { $0 == 10 }
        #expect(feed.writer.lostLines == put - written && written < put)
        #expect(feed.said.contains { $0.contains("not written to its end") })
    }

    @Test func aLineThatWasCutOffDoesNotSpoilTheNext() throws {
        let pipe = try Pipe()
        let feed = try Feed(pipe.path)
        let line = String(repeating: "x", count: 999)
        // 200,000 bytes at once, of which the pipe holds some that end inside a line.
        feed.put(Array(repeating: line, count: 200).joined(separator: "\n"))
        try eventually("the pipe is full") { 200_000 - feed.log.rings[0].waiting.count == pipe.capacity }
        pipe.close()
        feed.put("lost too")
        try eventually("lines are given up") { feed.writer.lostLines > 0 && feed.log.rings[0].waiting.isEmpty }
        pipe.open()
        var received = pipe.read()
        feed.put("after")
        try eventually("the next line arrives") {
            received += pipe.read()
            return String(decoding: received, as: UTF8.self).hasSuffix("\nafter\n")
        }
        feed.writer.stop()
        let lines = Self.lines(String(decoding: received, as: UTF8.self))
        let whole = lines.filter { $0 == line }.count
        #expect(lines.count == whole + 2, "one torn line and the next")
        #expect(feed.writer.lostLines == 200 - whole + 1)
    }

    @Test func aRotationEndsALineThatHasBegun() throws {
        let pipe = try Pipe()
        let feed = try Feed(pipe.path)
        let line = String(repeating: "x", count: 999)
        // 200,000 bytes at once, of which the pipe holds some that end inside a line.
        feed.put(Array(repeating: line, count: 200).joined(separator: "\n"))
        try eventually("the pipe is full") { 200_000 - feed.log.rings[0].waiting.count == pipe.capacity }
        var older = [UInt8]()
        try #require(rename(pipe.path, pipe.path + ".1") == 0)
        feed.writer.reopen()
        try eventually("the file is there") { FileManager.default.fileExists(atPath: pipe.path) }
        feed.writer.stop()
        older += pipe.read()
        let newer = Self.lines(Self.text(pipe.path))
        let before = Self.lines(String(decoding: older, as: UTF8.self)).filter { $0 == line }.count
        #expect(newer.allSatisfy { $0 == line })
        #expect(before + newer.count + feed.writer.lostLines == 200 && feed.writer.lostLines <= 1)
    }
}

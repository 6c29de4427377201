import Testing

@testable import WeirEngine

@Suite("HTTP/1.1 bodies")
struct H1BodyDecoderTests {
    private enum Verdict: Equatable {
        case finished
        case failed
        case open
    }

    private struct Result: Equatable {
        var verdict: Verdict
        var body: String
        var consumed: Int
    }

    /// Decodes bytes that arrive cut before each of `cuts`.
    private func decode(_ framing: BodyFraming, _ bytes: [UInt8], cuts: [Int] = []) -> Result {
        var decoder = H1BodyDecoder(framing)
        var result = Result(verdict: .open, body: "", consumed: 0)
        var from = 0
        for cut in cuts + [bytes.count] {
            // Memory of exactly the piece's size, so that a read past it is seen.
            let piece = UnsafeMutablePointer<UInt8>.allocate(capacity: cut - from)
            defer { piece.deallocate() }
            for index in from..<cut { piece[index - from] = bytes[index] }
            var at = 0
            repeat {
                let step = decoder.next(piece + at, count: cut - from - at)
                if step.failed {
                    result.verdict = .failed
                    return result
                }
                let run = UnsafeRawBufferPointer(start: piece + at + step.bodyStart, count: step.bodyCount)
                result.body += text(run)
                result.consumed += step.consumed
                at += step.consumed
                if step.finished {
                    result.verdict = .finished
                    return result
                }
            } while at < cut - from
            from = cut
        }
        return result
    }

    private func chunked(_ text: String) -> Result { decode(.chunked, latin1(text)) }

    @Test("No body and an empty one take nothing")
    func empty() {
        for framing in [BodyFraming.none, .length(0)] {
            #expect(decode(framing, latin1("GET")) == Result(verdict: .finished, body: "", consumed: 0))
        }
    }

    @Test("A length takes that many bytes and leaves what follows")
    func length() {
        let bytes = latin1("helloGET /")
        for cut in 0...bytes.count {
            #expect(decode(.length(5), bytes, cuts: [cut]) == Result(verdict: .finished, body: "hello", consumed: 5))
        }
        #expect(decode(.length(11), bytes).verdict == .open)
        #expect(decode(.length(.max), bytes).body == "helloGET /")
    }

    @Test("Small chunks received together become one run, a large one begins a run of its own")
    func coalescing() {
        let large = BufferChain.crumbBytes + 1
        var bytes = (0..<50).flatMap { latin1("1\r\n\(Character(UnicodeScalar(UInt8(97 + $0 % 26))))\r\n") }
        bytes += latin1("\(String(large, radix: 16))\r\n") + [UInt8](repeating: 120, count: large)
        bytes += latin1("\r\n0\r\n\r\n")
        var decoder = H1BodyDecoder(.chunked)
        let count = bytes.count
        let (first, second) = bytes.withUnsafeMutableBufferPointer { bytes in
            let start = bytes.baseAddress!
            let first = decoder.next(start, count: count)
            let alphabet = text(UnsafeRawBufferPointer(start: start + first.bodyStart, count: 26))
            #expect(alphabet == "abcdefghijklmnopqrstuvwxyz")
            return (first, decoder.next(start + first.consumed, count: count - first.consumed))
        }
        #expect(first.bodyCount == 50)
        #expect(second.bodyCount == large)
        #expect(second.finished && first.consumed + second.consumed == count)
    }

    @Test("A body that ends with the connection never finishes by itself")
    func untilClose() {
        #expect(H1BodyDecoder(.untilClose).isUntilClose)
        #expect(!H1BodyDecoder(.chunked).isUntilClose)
        #expect(decode(.untilClose, latin1("abc"), cuts: [1]) == Result(verdict: .open, body: "abc", consumed: 3))
    }

    @Test(
        "Chunks give their data, and what is behind the last one stays",
        arguments: [
            ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"), ("0\r\n\r\n", ""),
            ("A\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
            ("0005\r\nhello\r\n0\r\n\r\n", "hello"), ("5;name=value\r\nhello\r\n0;last\r\n\r\n", "hello"),
            ("5;n=\"v;w\" \t\r\nhello\r\n0\r\n\r\n", "hello"), ("2\r\nhi\r\n0\r\nX-Sum: 42\r\nY:\r\n\r\n", "hi"),
            ("2\r\n\r\n\r\n1\r\n0\r\n0\r\n\r\n", "\r\n0"), ("1;\r\nx\r\n00;\r\n\r\n", "x"),
            ("2\r\nhi\r\n0\r\nHost: evil\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n", "hi"),
        ])
    func chunks(text: String, body: String) {
        let bytes = latin1(text + "GET /next")
        let expected = Result(verdict: .finished, body: body, consumed: text.utf8.count)
        #expect(decode(.chunked, bytes) == expected)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let result = decode(.chunked, bytes, cuts: [first, second])
                if result != expected { Issue.record("cut at \(first) and \(second): \(result)") }
            }
        }
        #expect(decode(.chunked, bytes, cuts: Array(1..<bytes.count)) == expected)
        #expect(
            decode(.chunked, latin1(String(text.unicodeScalars.dropLast().map(Character.init)))).verdict != .finished)
    }

    @Test(
        "Chunk framing out of shape fails, at whatever split",
        arguments: [
            "0x5\r\nhello\r\n", "+5\r\nhello\r\n", "-1\r\nhello\r\n", "\r\nhello\r\n", "g\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n", "10000000000000005\r\nhello", "00000000000000000\r\n\r\n", "ffffffffffffffff\r\nhello",
            "8000000000000000\r\nhello", "5\r\nhelloX\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "2;\nxx\r\n0\r\n\r\n", "5\r\r;ab\r\nhello\r\n", "5\rXhello\r\n", "5;a=\0\r\nhello\r\n",
            "5;a\u{7f}\r\nhello\r\n",
            "0\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n", "0\r\nno colon here\r\n\r\n", "0\r\nX-T: a\r\n b\r\n\r\n",
            "0\r\n: v\r\n\r\n",
            "0\r\nX : v\r\n\r\n", "0\r\nX: a\rb\r\n\r\n", "0\r\nX: a\n\r\n", "0\r\n\rX", "0\r\n\n", "0\n\r\n", ";x\r\n",
            "5",
        ])
    func brokenChunks(text: String) {
        let bytes = latin1(text)
        let expected: Verdict = text == "5" ? .open : .failed
        #expect(chunked(text).verdict == expected)
        for cut in 0...bytes.count { #expect(decode(.chunked, bytes, cuts: [cut]).verdict == expected) }
        // A broken body stays broken.
        var decoder = H1BodyDecoder(.chunked)
        var last = H1BodyDecoder.Step()
        for var byte in bytes + latin1("0\r\n\r\n") { last = decoder.next(&byte, count: 1) }
        #expect(last.failed == (expected == .failed))
    }

    @Test("The largest chunk that counts is only waited for")
    func largeChunk() {
        #expect(chunked("7fffffffffffffff\r\nhello") == Result(verdict: .open, body: "hello", consumed: 23))
    }

    @Test("Extensions and trailers are bounded")
    func bounds() {
        func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
        let most = H1BodyDecoder.maxSizeLineBytes
        #expect(chunked("1;\(repeated("e", most))\r\nx\r\n0\r\n\r\n").verdict == .finished)
        #expect(chunked("1;\(repeated("e", most + 1))\r\nx\r\n0\r\n\r\n").verdict == .failed)
        #expect(chunked(repeated("1;\(repeated("e", most))\r\nx\r\n", 3) + "0\r\n\r\n").body == "xxx")
        #expect(chunked("0\r\n\(repeated("X: y\r\n", H1BodyDecoder.maxTrailerLines))\r\n").verdict == .finished)
        #expect(chunked("0\r\n\(repeated("X: y\r\n", H1BodyDecoder.maxTrailerLines + 1))\r\n").verdict == .failed)
        // What counts are names, colons, values and the byte that ends each line.
        func trailer(_ bytes: Int) -> Verdict { chunked("0\r\nX:\(repeated("y", bytes - 4))\r\n\r\n").verdict }
        #expect(trailer(H1BodyDecoder.maxTrailerBytes) == .finished)
        #expect(trailer(H1BodyDecoder.maxTrailerBytes + 1) == .failed)
        #expect(chunked("\(repeated("0", 15))1\r\nx\r\n0\r\n\r\n").verdict == .finished)
        #expect(chunked("\(repeated("0", 16))1\r\nx\r\n0\r\n\r\n").verdict == .failed)
    }

    @Test("Extensions without data to go with them are bounded over the whole message")
    func surplus() {
        let extended = "1;\(String(repeating: "e", count: 1024))\r\nx\r\n"
        func many(_ count: Int, _ more: String = "") -> Verdict {
            chunked(String(repeating: extended, count: count) + more + "0\r\n\r\n").verdict
        }
        // Each brings 1024 bytes for one of data.
        #expect(many(16) == .finished)
        #expect(many(17) == .failed)
        // Data makes up for them, before or behind.
        let data = "4000\r\n\(String(repeating: "d", count: 0x4000))\r\n"
        #expect(many(16, data + String(repeating: extended, count: 16)) == .finished)
        #expect(many(16, data + String(repeating: extended, count: 17)) == .failed)
        #expect(chunked("0;\(String(repeating: "e", count: 4096))\r\n\r\n").verdict == .finished)
        let signed =
            "2000;chunk-signature=\(String(repeating: "a", count: 64))\r\n\(String(repeating: "d", count: 0x2000))\r\n"
        #expect(chunked(String(repeating: signed, count: 500) + "0\r\n\r\n").verdict == .finished)
    }

    @Test("Mutated chunks never trap, and splits never change body or verdict")
    func mutations() {
        var random = FastRandom(seed: 3)
        let sample = latin1("5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 42\r\n\r\nrest")
        let interesting = latin1("\r\n\0 ;:059afAFxg\u{ff}")
        var verdicts = (finished: 0, failed: 0, open: 0)
        for _ in 0..<30_000 {
            var bytes = sample
            for _ in 0...random.below(2) {
                let at = Int(random.below(UInt32(bytes.count)))
                switch random.below(3) {
                case 0: bytes[at] = interesting[Int(random.below(UInt32(interesting.count)))]
                case 1: bytes.remove(at: at)
                default: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            let whole = decode(.chunked, bytes)
            let cut = Int(random.below(UInt32(bytes.count + 1)))
            let pieces = decode(.chunked, bytes, cuts: [cut])
            #expect(pieces.verdict == whole.verdict)
            switch whole.verdict {
            case .finished: verdicts.finished += 1
            case .failed: verdicts.failed += 1
            case .open: verdicts.open += 1
            }
            if whole.verdict != .failed { #expect(pieces == whole) }
        }
        #expect(verdicts.finished > 1000 && verdicts.failed > 1000 && verdicts.open > 10, "\(verdicts)")
    }
}

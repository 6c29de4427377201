import Testing

@testable import WeirEngine

@Suite("HTTP/1.1 heads in pieces, and broken ones")
struct H1ParserSplitTests {
    private static let requests = [
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\n\r\nPOST /a/../b%41?c HTTP/1.1\r\nHost: h:1\r\nX-Pad:  \tv \r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        "GET http://real?x HTTP/1.1\r\nConnection: X-Hop, close\r\nhost: other\r\nX-Hop: 1\r\nTE: trailers\r\n\r\nmore",
        "PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nExpect: 100-continue\r\nEmpty:\r\n\r\n0123456789ab",
    ]
    private static let responses = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
        "HTTP/1.0 302\r\nLocation: /x\r\nConnection: keep-alive\r\n\r\n",
    ]
    private static let refused = [
        "GET / HTTP/1.0\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nX-A : b\r\n\r\n", "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\n\nx", "G@T / HTTP/1.1\r\n\r\n", "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]

    @Test("Any two cuts of a request give what the whole gives", arguments: requests)
    func splitRequests(text: String) {
        let bytes = latin1(text)
        let whole = parseRequest(bytes)
        guard case .accepted(_, let consumed) = whole else {
            Issue.record("refused")
            return
        }
        var same = 0
        for first in 0...bytes.count {
            for second in stride(from: first, through: bytes.count, by: 3) {
                if parseRequest(bytes, cuts: [first, second]) == whole { same += 1 }
            }
        }
        let tried = (0...bytes.count).map { (bytes.count - $0) / 3 + 1 }.reduce(0, +)
        #expect(same == tried)
        #expect(parseRequest(bytes, cuts: Array(1..<bytes.count)) == whole)
        #expect(parseRequest(Array(bytes.prefix(consumed - 1)), cuts: Array(1..<(consumed - 1))) == .incomplete)
    }

    @Test("Any cut of a response gives what the whole gives", arguments: responses)
    func splitResponses(text: String) {
        let bytes = latin1(text)
        let whole = parseResponse(bytes)
        guard case .accepted = whole else {
            Issue.record("refused")
            return
        }
        for cut in 0...bytes.count { #expect(parseResponse(bytes, cuts: [cut]) == whole) }
        #expect(parseResponse(bytes, cuts: Array(1..<bytes.count)) == whole)
    }

    @Test("A refused request is refused for the same reason however it is cut", arguments: refused)
    func splitRefusals(text: String) {
        let bytes = latin1(text)
        let whole = parseRequest(bytes)
        guard case .refused = whole else {
            Issue.record("accepted")
            return
        }
        for cut in 0...bytes.count { #expect(parseRequest(bytes, cuts: [cut]) == whole) }
        #expect(parseRequest(bytes, cuts: Array(1..<bytes.count)) == whole)
    }

    @Test("A peer that sends a byte at a time costs linear time")
    func byteByByte() {
        // Reading the head anew for each byte is 30 billion steps; this many take milliseconds.
        let limit = 240 * 1024
        var parser = H1Parser(limits: H1Limits(maxHeadBytes: limit))
        let head = RequestHead()
        defer { head.free() }
        var received = MovingBytes()
        received.append(latin1("GET / HTTP/1.1\r\nHost: h\r\n") + [UInt8](repeating: 0x76, count: limit))
        let begin = ContinuousClock.now
        var count = 0
        var result = H1ParseResult.needMore
        while result == .needMore, count < received.count {
            count += 1
            result = parser.parseRequest(received.bytes, count: count, into: head)
        }
        #expect(result == .failed(.headTooLarge))
        #expect(count == limit)
        #expect(begin.duration(to: .now) < .seconds(5))
    }

    @Test("A bare line feed in a later piece is refused at once")
    func lineFeedInPieces() {
        let bytes = latin1("GET / HTTP/1.1\r\nHost: h\r\nX-A: b\nX-B: c")
        #expect(parseRequest(bytes, cuts: Array(1..<bytes.count)) == .refused(.malformed))
        #expect(parseRequest(Array(bytes.prefix(31)), cuts: Array(1..<31)) == .incomplete)
        #expect(parseRequest(Array(bytes.prefix(32)), cuts: Array(1..<32)) == .refused(.malformed))
    }

    @Test("A parser serves one head after the other")
    func reuse() {
        var parser = H1Parser()
        let head = RequestHead()
        defer { head.free() }
        var received = MovingBytes()
        let one = latin1("GET /1 HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n")
        received.append(one + latin1("POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"))
        #expect(parser.parseRequest(received.bytes, count: 10, into: head) == .needMore)
        let first = parser.parseRequest(received.bytes, count: received.count, into: head)
        #expect(first == .complete(consumed: one.count))
        parser.reset()
        head.reset()
        let rest = received.count - one.count
        let second = parser.parseRequest(received.bytes + one.count, count: rest, into: head)
        #expect(second == .complete(consumed: rest))
        #expect(ParsedRequest(head).target == "/2")
        #expect(head.framing == .length(1))
    }

    @Test("Flipped, dropped and doubled bytes never trap, and cuts never change the verdict")
    func mutations() {
        var random = FastRandom(seed: 7)
        var (accepted, refused, incomplete) = (0, 0, 0)
        for _ in 0..<30_000 {
            let sample = Self.requests[Int(random.below(UInt32(Self.requests.count)))]
            let bytes = mutated(latin1(sample), &random)
            let whole = parseRequest(bytes)
            switch whole {
            case .accepted(let head, let consumed):
                accepted += 1
                expectSound(head, consumed, bytes)
            case .refused: refused += 1
            case .incomplete: incomplete += 1
            }
            let cut = Int(random.below(UInt32(bytes.count + 1)))
            if case .accepted = whole { #expect(parseRequest(bytes, cuts: [cut]) == whole) }
            if case .incomplete = whole { #expect(parseRequest(bytes, cuts: [cut]) == whole) }
            if case .refused = whole {
                // Lines that come in pieces are read when the head has ended; without an end the verdict is due.
                let pieces = parseRequest(bytes, cuts: [cut])
                let isDue = pieces == .incomplete && !hasEmptyLine(bytes)
                guard case .refused = pieces else {
                    #expect(isDue, "\(bytes)")
                    continue
                }
            }
        }
        #expect(accepted > 3000 && refused > 3000 && incomplete > 30, "\(accepted) \(refused) \(incomplete)")
    }

    @Test("Mutated responses never trap")
    func mutatedResponses() {
        var random = FastRandom(seed: 11)
        var (accepted, refused) = (0, 0)
        for _ in 0..<10_000 {
            let sample = Self.responses[Int(random.below(UInt32(Self.responses.count)))]
            let bytes = mutated(latin1(sample), &random)
            switch parseResponse(bytes, cuts: [Int(random.below(UInt32(bytes.count + 1)))]) {
            case .accepted(let head, let consumed):
                accepted += 1
                #expect((100...999).contains(head.status) && consumed <= bytes.count)
            case .refused: refused += 1
            case .incomplete: break
            }
        }
        #expect(accepted > 1000 && refused > 1000, "\(accepted) \(refused)")
    }

    private func hasEmptyLine(_ bytes: [UInt8]) -> Bool {
        let start = bytes.firstIndex { $0 != 13 && $0 != 10 } ?? bytes.count
        let end: [UInt8] = [13, 10, 13, 10]
        return bytes[start...].indices.contains { bytes[$0...].starts(with: end) }
    }

    private func mutated(_ bytes: [UInt8], _ random: inout FastRandom) -> [UInt8] {
        var bytes = bytes
        let interesting = latin1("\r\n\0 \t:,;?#%.\\/*@\u{7f}\u{80}\u{ff}05azAZ")
        for _ in 0...random.below(3) {
            let at = Int(random.below(UInt32(bytes.count)))
            switch random.below(4) {
            case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[at] = interesting[Int(random.below(UInt32(interesting.count)))]
            case 2: bytes.remove(at: at)
            default: bytes.insert(bytes[at], at: at)
            }
        }
        return bytes
    }

    /// What no accepted head may break, whatever came in.
    private func expectSound(_ head: ParsedRequest, _ consumed: Int, _ bytes: [UInt8]) {
        #expect(consumed <= bytes.count && bytes[..<consumed].suffix(4).elementsEqual([13, 10, 13, 10]))
        #expect(
            head.target.hasPrefix("/") && head.target.unicodeScalars.allSatisfy { (0x21...0x7e).contains($0.value) })
        #expect(!head.path.contains("/../") && !head.path.contains("/./") && !head.path.contains("\\"))
        #expect(head.lines.count { $0.name == "host" } == 1)
        #expect(
            !head.lines.contains { ["connection", "transfer-encoding", "upgrade", "keep-alive"].contains($0.name) })
        for line in head.lines {
            #expect(!line.name.isEmpty && line.name == line.name.lowercased())
            #expect(!line.value.unicodeScalars.contains { $0.value < 0x20 && $0.value != 9 || $0.value == 0x7f })
        }
    }
}

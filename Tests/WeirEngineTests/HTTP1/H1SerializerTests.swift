import Foundation
import Testing

@testable import WeirEngine

@Suite("HTTP/1.1 writing")
struct H1SerializerTests {
    /// Writes into exactly the bound's room, and checks it.
    private func written(bound: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Int) -> String {
        let room = UnsafeMutablePointer<UInt8>.allocate(capacity: bound)
        defer { room.deallocate() }
        let count = write(room)
        #expect(count <= bound, "a writer went past its bound")
        return text(UnsafeRawBufferPointer(start: room, count: count))
    }

    private func forwarded(_ request: String, change: (RequestHead) -> Void = { _ in }) -> String {
        var parser = H1Parser()
        let head = RequestHead()
        defer { head.free() }
        var received = MovingBytes()
        received.append(latin1(request))
        guard case .complete = parser.parseRequest(received.bytes, count: received.count, into: head) else {
            return "refused"
        }
        change(head)
        return written(bound: H1Serializer.requestBound(head)) { H1Serializer.writeRequest(head, into: $0) }
    }

    private func forwarded(
        response: String, to method: MethodToken = .get, framing: BodyFraming? = nil, close: Bool = false
    ) -> String {
        var parser = H1Parser()
        let head = ResponseHead()
        defer { head.free() }
        var received = MovingBytes()
        received.append(latin1(response))
        guard
            case .complete = parser.parseResponse(
                received.bytes, count: received.count, requestMethod: method, into: head)
        else { return "refused" }
        return written(bound: H1Serializer.responseBound(head)) {
            H1Serializer.writeResponse(head, framing: framing ?? head.framing, close: close, into: $0)
        }
    }

    @Test("A request goes on with its authority first and without what concerned one hop")
    func request() {
        #expect(
            forwarded(
                "GET /a?b HTTP/1.1\r\nAccept: x\r\nHost: H:1\r\nX-One:  1 \r\nX-Two:2\r\nConnection: X-Hop\r\n"
                    + "X-Hop: 1\r\n"
                    + "X-Three: 3\r\nX-Empty:\r\nX-Four: 4\r\n\r\n")
                == "GET /a?b HTTP/1.1\r\nhost: H:1\r\naccept: x\r\nx-one: 1\r\nx-two: 2\r\nx-three: 3\r\nx-empty: \r\n"
                + "x-four: 4\r\n\r\n")
        #expect(
            forwarded("GET http://real?q HTTP/1.1\r\nHost: other\r\n\r\n") == "GET /?q HTTP/1.1\r\nhost: real\r\n\r\n")
    }

    @Test("A WebSocket asked for over HTTP/2 gets a key, and one that has its key keeps it")
    func webSocket() {
        let asking = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        var random = FastRandom(seed: 9)
        let own = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        #expect(
            forwarded(asking + own + "\r\n") { WebSocketKey.add(to: $0, &random) }
                == "GET /chat HTTP/1.1\r\nhost: h\r\n\(own)connection: Upgrade\r\nupgrade: websocket\r\n\r\n")
        let made = forwarded(asking + "\r\n") {
            $0.version = .http2
            WebSocketKey.add(to: $0, &random)
        }
        let key = made.split(separator: "\r\n").first { $0.hasPrefix("sec-websocket-key: ") }?.dropFirst(19) ?? ""
        #expect(Data(base64Encoded: String(key))?.count == 16, "\(made)")
    }

    @Test("Blanks around values are written as one space in front")
    func blanks() {
        #expect(
            forwarded("GET / HTTP/1.1\r\nHost: h\r\nA:\t1\r\nB: 2 \r\nC: 3\t\r\nD:  4\r\nE:5\r\nF: 6\r\n\r\n")
                == "GET / HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\nf: 6\r\n\r\n")
    }

    @Test("Framing is written once, from what was decided")
    func requestFraming() {
        #expect(
            forwarded("POST / HTTP/1.1\r\nContent-Length: 007\r\nHost: h\r\nX: y\r\n\r\n")
                == "POST / HTTP/1.1\r\nhost: h\r\nx: y\r\ncontent-length: 7\r\n\r\n")
        #expect(
            forwarded("POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: h\r\n\r\n")
                == "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n")
        #expect(
            forwarded("POST / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\nHost: h\r\n\r\n")
                == "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    @Test("A request that may have a body says when it has none, as Envoy's do")
    func announcedEmptiness() {
        for method in ["POST", "PUT", "PATCH", "OPTIONS", "PROPFIND"] {
            #expect(
                forwarded("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n")
                    == "\(method) / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n")
        }
        for method in ["GET", "HEAD", "DELETE", "TRACE"] {
            #expect(forwarded("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n") == "\(method) / HTTP/1.1\r\nhost: h\r\n\r\n")
        }
        #expect(
            forwarded("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
                == "GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n")
    }

    @Test("Lines added, changed and removed on the way are respected")
    func changedLines() {
        let result = forwarded("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n") { head in
            let value = head.block.reserve(3)
            for index in 0..<3 { value[index] = 0x76 }
            head.block.fields[2].value = UnsafePointer(value)
            head.block.fields[2].valueLength = 3
            head.block.fields[3].removed = true
            let name = HeaderName.xForwardedFor.text
            _ = head.block.append(
                .xForwardedFor, name: name.utf8Start, nameLength: name.utf8CodeUnitCount, value: value, valueLength: 2)
        }
        #expect(result == "GET / HTTP/1.1\r\nhost: h\r\na: 1\r\nb: vvv\r\nd: 4\r\nx-forwarded-for: vv\r\n\r\n")
    }

    @Test("Whatever was accepted is written within its bound, and is read back as the same")
    func roundTrip() throws {
        var random = FastRandom(seed: 5)
        let values = ["", "v", "0123456789abcdef", String(repeating: "long ", count: 40) + "x", "a\tb", "\u{e9}"]
        for _ in 0..<2000 {
            var message = "POST /p\(random.below(1000))?q HTTP/1.1\r\n"
            let lines = Int(random.below(12))
            let host = Int(random.below(UInt32(lines + 1)))
            for line in 0...lines {
                let gap = ["", " ", "\t ", "  "][Int(random.below(4))]
                let value = values[Int(random.below(UInt32(values.count)))]
                message += line == host ? "Host: h\r\n" : "X-\(random.below(99)):\(gap)\(value)\(gap)\r\n"
            }
            message += random.below(2) == 0 ? "Content-Length: 3\r\n\r\n" : "Connection: x-7,x-8\r\n\r\n"
            let before = try #require(accepted(message))
            let after = try #require(accepted(forwarded(message)))
            // A body that is not there is said to be none.
            let framing = before.framing == .none ? .length(0) : before.framing
            #expect(after.target == before.target && after.framing == framing)
            let rest = before.lines.filter { $0.name != "host" && $0.name != "content-length" }
            #expect(after.lines.filter { $0.name != "host" && $0.name != "content-length" } == rest)
        }
    }

    @Test("A response keeps its status and fields; framing and close are as told")
    func response() {
        let plain = "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-A: b\r\nConnection: close\r\n\r\n"
        #expect(forwarded(response: plain) == "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 5\r\n\r\n")
        #expect(
            forwarded(response: plain, framing: .chunked, close: true)
                == "HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        #expect(
            forwarded(response: plain, framing: .untilClose, close: true)
                == "HTTP/1.1 200 OK\r\nx-a: b\r\nconnection: close\r\n\r\n")
        #expect(
            forwarded(response: "HTTP/1.1 799 Quite odd\r\nContent-Length: 0\r\n\r\n")
                == "HTTP/1.1 799 Quite odd\r\ncontent-length: 0\r\n\r\n")
        #expect(
            forwarded(response: "HTTP/1.1 404 Nope\r\nContent-Length: 0\r\n\r\n")
                == "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
    }

    @Test("Answers without a body keep the length they tell of")
    func lengthWithoutBody() {
        let plain = "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\n"
        #expect(
            forwarded(response: plain, to: .head) == plain.lowercased().replacing("http/1.1 200 ok", "HTTP/1.1 200 OK"))
        #expect(
            forwarded(response: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
                == "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n")
        #expect(
            forwarded(response: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
                == "HTTP/1.1 204 No Content\r\n\r\n")
    }

    @Test("Informational heads have no framing")
    func informational() {
        let head = ResponseHead()
        defer { head.free() }
        head.status = 103
        let result = written(bound: H1Serializer.responseBound(head)) {
            H1Serializer.writeInformational(head, into: $0)
        }
        #expect(result == "HTTP/1.1 103 Early Hints\r\n\r\n")
    }

    @Test(
        "Chunk sizes are hexadecimal",
        arguments: [
            (1, "1"), (9, "9"), (10, "a"), (15, "f"), (16, "10"), (255, "ff"), (32_736, "7fe0"),
            (Int.max, "7fffffffffffffff"),
        ])
    func chunkHeads(count: Int, expected: String) {
        let result = written(bound: H1Serializer.chunkHeadBound) { H1Serializer.writeChunkHead(count, into: $0) }
        #expect(result == expected + "\r\n")
        #expect(text(H1Serializer.chunkEnd) == "\r\n")
        #expect(text(H1Serializer.lastChunk) == "0\r\n\r\n")
    }
}

extension String {
    fileprivate func replacing(_ part: String, _ other: String) -> String {
        guard hasPrefix(part) else { return self }
        return other + dropFirst(part.count)
    }
}

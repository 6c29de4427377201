#if WEIR_BENCH
import Glibc

extension HotLoop {
    private static let smallRequest = "GET / HTTP/1.1\r\nHost: bench.example.com\r\n\r\n"
    /// As a browser sends it.
    private static let browserRequest = """
        GET /catalogue/items/4711?colour=blue&size=m HTTP/1.1\r
        Host: shop.example.com\r
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r
        Accept-Language: en-GB,en;q=0.5\r
        Accept-Encoding: gzip, deflate, br\r
        Referer: https://shop.example.com/catalogue\r
        Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r
        Connection: keep-alive\r
        Upgrade-Insecure-Requests: 1\r
        Sec-Fetch-Dest: document\r
        Sec-Fetch-Mode: navigate\r
        \r\n
        """
    private static let response = """
        HTTP/1.1 200 OK\r
        Content-Type: text/html; charset=utf-8\r
        Content-Length: 16384\r
        Date: Sat, 01 Aug 2026 12:00:00 GMT\r
        Server: origin\r
        Cache-Control: max-age=60, must-revalidate\r
        ETag: "0123456789abcdef"\r
        \r\n
        """

    /// Parsing and writing heads.
    ///
    /// Parsing folds names in place, so each repetition begins with a copy of the bytes, as a read from a socket does.
    static func heads() -> [HotLoop] {
        [
            parseRequest("parse request head, 1 line", smallRequest),
            parseRequest("parse request head, 11 lines", browserRequest),
            parseResponse("parse response head, 6 lines", response),
            forwardRequest("parse, forwarded headers, serialise: 1 line", smallRequest),
            forwardRequest("parse, forwarded headers, serialise: 11 lines", browserRequest),
            serialiseRequest("serialise request head, 11 lines and forwarded headers", browserRequest),
            serialiseResponse("serialise response head, 6 lines", response),
        ]
    }

    private static func parseRequest(_ name: String, _ text: String) -> HotLoop {
        let (received, room, head) = (pinnedBytes(text), pinnedBytes(text), RequestHead())
        return HotLoop(name: name) { repetitions in
            var sum: UInt64 = 0
            var parser = H1Parser()
            for _ in 0..<repetitions {
                parse(received, room, &parser, head)
                sum &+= UInt64(head.block.count)
                head.reset()
            }
            return sum
        }
    }

    private static func parseResponse(_ name: String, _ text: String) -> HotLoop {
        let (received, room, head) = (pinnedBytes(text), pinnedBytes(text), ResponseHead())
        return HotLoop(name: name) { repetitions in
            var sum: UInt64 = 0
            var parser = H1Parser()
            for _ in 0..<repetitions {
                parse(received, room, &parser, head)
                sum &+= UInt64(head.status)
                head.reset()
            }
            return sum
        }
    }

    private static func forwardRequest(_ name: String, _ text: String) -> HotLoop {
        let (received, room, head) = (pinnedBytes(text), pinnedBytes(text), RequestHead())
        let downstream = DownstreamInfo(peer: peer, listener: 0, scheme: .http).placed()
        let out = UnsafeMutablePointer<UInt8>.allocate(capacity: 4096)
        return HotLoop(name: name) { repetitions in
            var sum: UInt64 = 0
            var parser = H1Parser()
            var random = FastRandom(seed: 1)
            for _ in 0..<repetitions {
                parse(received, room, &parser, head)
                ForwardedHeaders.prepare(head, downstream: downstream, trusted: nil, random: &random)
                precondition(H1Serializer.requestBound(head) <= 4096, "no room for the head")
                sum &+= UInt64(H1Serializer.writeRequest(head, into: out))
                head.reset()
            }
            return sum
        }
    }

    private static func serialiseRequest(_ name: String, _ text: String) -> HotLoop {
        let (received, room, head) = (pinnedBytes(text), pinnedBytes(text), RequestHead())
        var parser = H1Parser()
        parse(received, room, &parser, head)
        var random = FastRandom(seed: 1)
        let downstream = DownstreamInfo(peer: peer, listener: 0, scheme: .http).placed()
        ForwardedHeaders.prepare(head, downstream: downstream, trusted: nil, random: &random)
        downstream.deallocate()
        let out = UnsafeMutablePointer<UInt8>.allocate(capacity: H1Serializer.requestBound(head))
        return HotLoop(name: name) { repetitions in
            var sum: UInt64 = 0
            for _ in 0..<repetitions { sum &+= UInt64(H1Serializer.writeRequest(head, into: out)) }
            return sum
        }
    }

    private static func serialiseResponse(_ name: String, _ text: String) -> HotLoop {
        let (received, room, head) = (pinnedBytes(text), pinnedBytes(text), ResponseHead())
        var parser = H1Parser()
        parse(received, room, &parser, head)
        let out = UnsafeMutablePointer<UInt8>.allocate(capacity: H1Serializer.responseBound(head))
        return HotLoop(name: name) { repetitions in
            var sum: UInt64 = 0
            for _ in 0..<repetitions {
                sum &+= UInt64(H1Serializer.writeResponse(head, framing: head.framing, close: false, into: out))
            }
            return sum
        }
    }

    private static var peer: SocketAddress {
        guard let peer = SocketAddress(numericHost: "192.0.2.10", port: 40_000) else {
            preconditionFailure("an address was not understood")
        }
        return peer
    }

    @inline(__always)  // the copy is part of each loop
    private static func parse(
        _ received: UnsafeMutableBufferPointer<UInt8>, _ room: UnsafeMutableBufferPointer<UInt8>,
        _ parser: inout H1Parser, _ head: RequestHead
    ) {
        memcpy(room.baseAddress!, received.baseAddress!, received.count)
        parser.reset()
        let result = parser.parseRequest(room.baseAddress!, count: room.count, into: head)
        precondition(result == .complete(consumed: room.count), "a request head was refused")
    }

    @inline(__always)  // the copy is part of each loop
    private static func parse(
        _ received: UnsafeMutableBufferPointer<UInt8>, _ room: UnsafeMutableBufferPointer<UInt8>,
        _ parser: inout H1Parser, _ head: ResponseHead
    ) {
        memcpy(room.baseAddress!, received.baseAddress!, received.count)
        parser.reset()
        let result = parser.parseResponse(room.baseAddress!, count: room.count, requestMethod: .get, into: head)
        precondition(result == .complete(consumed: room.count), "a response head was refused")
    }
}
#endif

@testable import WeirEngine

/// All a response head says, copied out of the bytes it points into.
private struct Said: Equatable {
    var status: Int
    var reason: [UInt8]
    var framing: BodyFraming
    var keepAlive: Bool
    var lines: [[UInt8]]

    init(_ head: ResponseHead) {
        status = head.status
        reason = Array(head.reason)
        framing = head.framing
        keepAlive = head.keepAlive
        // Host among the lines left out: it means nothing in a response and does not go on.
        lines = fieldLines(head.block)
    }
}

/// As a client's connection does it: a body of unknown length goes out chunked.
private func serialise(_ head: ResponseHead, _ close: Bool) -> [UInt8] {
    let framing: BodyFraming = head.framing == .untilClose ? .chunked : head.framing
    return serialised(bound: H1Serializer.responseBound(head)) {
        head.isInformational
            ? H1Serializer.writeInformational(head, into: $0)
            : H1Serializer.writeResponse(head, framing: framing, close: close, into: $0)
    }
}

/// However it is cut, a response is accepted as the same or refused, and goes on as what our own parser reads the same.
@c(LLVMFuzzerTestOneInput)
public func fuzzResponseHead(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    let cuts = FuzzCuts(input.choice())
    let options = input.choice()
    let method: MethodToken = options & 1 == 0 ? .get : .head
    let close = options & 2 != 0
    var limits = H1Limits()
    let parser = H1Parser(limits: limits)
    // The framing and the end of the connection may take a line each, and blanks their bytes.
    limits.maxHeaderLines += 2
    limits.maxHeadBytes *= 4
    let read = checkHead(input.rest, cuts, parser, further: H1Parser(limits: limits)) { message, cuts, parser in
        var parser = parser
        let head = ResponseHead()
        defer { head.free() }
        return parseInPieces(message, cuts) {
            parser.parseResponse($0, count: $1, requestMethod: method, into: head)
        } accepted: {
            (Said(head), serialise(head, close))
        }
    }

    guard let (said, again) = read else { return 0 }
    require((100...999).contains(said.status), "a status of \(said.status)")
    require(again.status == said.status, "another status")
    require(again.framing == (said.framing == .untilClose ? .chunked : said.framing), "another framing")
    require(again.lines == said.lines, "other lines: \(said.lines) \(again.lines)")
    require(said.status < 200 && said.status != 101 || again.keepAlive != close, "another end")
    return 0
}

import Glibc

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
        // Host means nothing in a response and does not go on.
        lines = head.block.lines.filter { !$0.removed && $0.token != .host && $0.token != .contentLength }
            .map { Array($0.nameBytes) + [ASCII.colon] + Array($0.valueBytes) }
    }
}

private enum Verdict: Equatable {
    case accepted(Said, consumed: Int, serialised: [UInt8])
    case refused
    case incomplete
}

/// Parses bytes that arrive in pieces and move with each of them; serialises what was accepted.
private func parse(
    _ message: ArraySlice<UInt8>, _ cuts: FuzzCuts, _ method: MethodToken, _ close: Bool, _ limits: H1Limits
) -> Verdict {
    var parser = H1Parser(limits: limits)
    let head = ResponseHead()
    defer { head.free() }
    var cuts = cuts
    var arrived = 0
    var soFar: [UInt8] = []
    while arrived < message.count {
        let length = cuts.next(of: message.count - arrived)
        soFar += message.dropFirst(arrived).prefix(length)
        arrived += length
        let received = ExactBytes(soFar)
        switch parser.parseResponse(received.start, count: received.count, requestMethod: method, into: head) {
        case .needMore: soFar = received.bytes(received.count)
        case .failed: return .refused
        case .complete(let consumed):
            require(consumed <= arrived, "more consumed than received")
            return .accepted(Said(head), consumed: consumed, serialised: serialise(head, close))
        }
    }
    return .incomplete
}

/// As a client's connection does it: a body of unknown length goes out chunked.
private func serialise(_ head: ResponseHead, _ close: Bool) -> [UInt8] {
    let out = ExactBytes(room: H1Serializer.responseBound(head))
    let framing: BodyFraming = head.framing == .untilClose ? .chunked : head.framing
    let length =
        head.isInformational
        ? H1Serializer.writeInformational(head, into: out.start)
        : H1Serializer.writeResponse(head, framing: framing, close: close, into: out.start)
    require(length <= out.count, "\(length) bytes written, \(out.count) promised")
    return out.bytes(length)
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

    let whole = parse(input.rest, FuzzCuts(255), method, close, limits)
    let pieces = parse(input.rest, cuts, method, close, limits)
    if whole != pieces {
        // Field lines that come in pieces are read when the head has ended: their verdict may still be due.
        require(whole == .refused && pieces == .incomplete, "whole: \(whole), in pieces: \(pieces)")
    }

    guard case .accepted(let said, _, let serialised) = whole else { return 0 }
    require((100...999).contains(said.status), "a status of \(said.status)")
    // The framing and the end of the connection may take a line each, and blanks their bytes.
    limits.maxHeaderLines += 2
    limits.maxHeadBytes *= 4
    guard case .accepted(let again, let consumed, _) = parse(serialised[...], FuzzCuts(255), method, close, limits)
    else {
        require(false, "our own head is not accepted: \(String(decoding: serialised, as: UTF8.self))")
        return 0
    }
    require(consumed == serialised.count, "our own head ends early")
    require(again.status == said.status, "another status")
    require(again.framing == (said.framing == .untilClose ? .chunked : said.framing), "another framing")
    require(again.lines == said.lines, "other lines: \(said.lines) \(again.lines)")
    require(said.status < 200 && said.status != 101 || again.keepAlive != close, "another end")
    return 0
}

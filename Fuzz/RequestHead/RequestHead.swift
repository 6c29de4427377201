import Glibc

@testable import WeirEngine

/// All a request head says, copied out of the bytes it points into.
private struct Said: Equatable {
    var method: [UInt8]
    var target: [UInt8]
    var pathLength: Int
    var authority: [UInt8]
    var hostLength: Int
    var framing: BodyFraming
    var keepAlive: Bool
    var expectsContinue: Bool
    var wantsUpgrade: Bool
    var isGRPC: Bool
    var lines: [[UInt8]]

    init(_ head: RequestHead) {
        method = Array(head.methodBytes)
        target = Array(head.target)
        pathLength = head.pathLength
        authority = Array(head.authority)
        hostLength = head.hostLength
        framing = head.framing
        keepAlive = head.keepAlive
        expectsContinue = head.expectsContinue
        wantsUpgrade = head.wantsUpgrade
        isGRPC = head.isGRPC
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
private func parse(_ message: ArraySlice<UInt8>, _ cuts: FuzzCuts, _ blank: H1Parser) -> Verdict {
    var parser = blank
    let head = RequestHead()
    defer { head.free() }
    var cuts = cuts
    var arrived = 0
    var soFar: [UInt8] = []
    while arrived < message.count {
        let length = cuts.next(of: message.count - arrived)
        soFar += message.dropFirst(arrived).prefix(length)
        arrived += length
        let received = ExactBytes(soFar)
        switch parser.parseRequest(received.start, count: received.count, into: head) {
        case .needMore: soFar = received.bytes(received.count)
        case .failed: return .refused
        case .complete(let consumed):
            require(consumed <= arrived, "more consumed than received")
            return .accepted(Said(head), consumed: consumed, serialised: serialise(head))
        }
    }
    return .incomplete
}

private func serialise(_ head: RequestHead) -> [UInt8] {
    let out = ExactBytes(room: H1Serializer.requestBound(head))
    let length = H1Serializer.writeRequest(head, into: out.start)
    require(length <= out.count, "\(length) bytes written, \(out.count) promised")
    return out.bytes(length)
}

/// However it is cut, a request is accepted as the same or refused, and goes on as what our own parser reads the same.
@c(LLVMFuzzerTestOneInput)
public func fuzzRequestHead(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    let cuts = FuzzCuts(input.choice())
    let options = input.choice()
    let scheme: Scheme = options & 1 == 0 ? .http : .https
    var limits = H1Limits()
    let acceptsHTTP10 = options & 4 != 0
    if options & 2 != 0 {
        limits.maxHeadBytes = 128
        limits.maxHeaderLines = 4
    }

    let parser = H1Parser(limits: limits, scheme: scheme, acceptsHTTP10: acceptsHTTP10)
    let whole = parse(input.rest, FuzzCuts(255), parser)
    let pieces = parse(input.rest, cuts, parser)
    if whole != pieces {
        // Field lines that come in pieces are read when the head has ended: their verdict may still be due.
        require(whole == .refused && pieces == .incomplete, "whole: \(whole), in pieces: \(pieces)")
    }

    guard case .accepted(let said, _, let serialised) = whole else { return 0 }
    require(said.target.first == ASCII.slash, "no origin form: \(said.target)")
    // Blanks and a short name for the framing may make a head a little longer.
    limits.maxHeadBytes *= 4
    // HTTP/1.0 needs no Host; what goes on has one.
    limits.maxHeaderLines += 1
    let strict = H1Parser(limits: limits, scheme: scheme)
    guard case .accepted(let again, let consumed, _) = parse(serialised[...], FuzzCuts(255), strict) else {
        require(false, "our own head is not accepted: \(String(decoding: serialised, as: UTF8.self))")
        return 0
    }
    require(consumed == serialised.count, "our own head ends early")
    require(again.method == said.method && again.target == said.target, "another method or target")
    require(again.pathLength == said.pathLength, "another path")
    require(again.authority == said.authority && again.hostLength == said.hostLength, "another host")
    require(again.framing == said.framing, "another framing")
    require(again.lines.filter { !$0.isEmpty } == said.lines, "other lines: \(said.lines) \(again.lines)")
    require(!again.wantsUpgrade && again.keepAlive, "a field for one hop went on")
    return 0
}

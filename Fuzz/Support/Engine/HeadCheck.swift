@testable import WeirEngine

/// What a parser made of a head's bytes.
///
/// `Said` is all that the head says, copied out of the bytes it points into.
enum HeadVerdict<Said: Equatable>: Equatable {
    case accepted(Said, consumed: Int, serialised: [UInt8])
    case refused
    case incomplete
}

/// Parses bytes that arrive in pieces and move with each of them; `accepted` tells and serialises what was accepted.
func parseInPieces<Said>(
    _ message: ArraySlice<UInt8>, _ cuts: FuzzCuts,
    parse: (UnsafeMutablePointer<UInt8>, _ count: Int) -> H1ParseResult,
    accepted: () -> (said: Said, serialised: [UInt8])
) -> HeadVerdict<Said> {
    var cuts = cuts
    var arrived = 0
    var soFar: [UInt8] = []
    while arrived < message.count {
        let length = cuts.next(of: message.count - arrived)
        soFar += message.dropFirst(arrived).prefix(length)
        arrived += length
        let received = ExactBytes(soFar)
        switch parse(received.start, received.count) {
        case .needMore: soFar = received.bytes(received.count)
        case .failed: return .refused
        case .complete(let consumed):
            require(consumed <= arrived, "more consumed than received")
            let (said, serialised) = accepted()
            return .accepted(said, consumed: consumed, serialised: serialised)
        }
    }
    return .incomplete
}

/// What `write` makes of a head, in no more room than was promised.
func serialised(bound: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Int) -> [UInt8] {
    let out = ExactBytes(room: bound)
    let length = write(out.start)
    require(length <= out.count, "\(length) bytes written, \(out.count) promised")
    return out.bytes(length)
}

/// The lines that go on as they are; what the two left out say is part of a head's own fields.
func fieldLines(_ block: borrowing HeaderBlock) -> [[UInt8]] {
    block.lines.filter { !$0.removed && $0.token != .host && $0.token != .contentLength }
        .map { line in Array(line.nameBytes) + [ASCII.colon] + Array(line.valueBytes) }
}

/// However it is cut, a head is accepted as the same or refused; and our own parser accepts whole what goes on of it.
///
/// Both parsers have seen nothing yet. Gives what an accepted head says, and what `further` reads of it on the other side.
func checkHead<Said>(
    _ message: ArraySlice<UInt8>, _ cuts: FuzzCuts, _ parser: H1Parser, further: H1Parser,
    parse: (ArraySlice<UInt8>, FuzzCuts, H1Parser) -> HeadVerdict<Said>
) -> (said: Said, again: Said)? {
    let whole = parse(message, .none, parser)
    let pieces = parse(message, cuts, parser)
    if whole != pieces {
        // Field lines that come in pieces are read when the head has ended: their verdict may still be due.
        require(whole == .refused && pieces == .incomplete, "whole: \(whole), in pieces: \(pieces)")
    }
    guard case .accepted(let said, _, let serialised) = whole else { return nil }
    guard case .accepted(let again, let consumed, _) = parse(serialised[...], .none, further) else {
        require(false, "our own head is not accepted: \(String(decoding: serialised, as: UTF8.self))")
        return nil
    }
    require(consumed == serialised.count, "our own head ends early")
    return (said, again)
}

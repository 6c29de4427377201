@testable import WeirEngine

/// What a reader makes of bytes that come in pieces: how many it took in all, and what came of them.
private func read(_ bytes: ArraySlice<UInt8>, _ cuts: FuzzCuts) -> (used: Int, outcome: ProxyHeaderReader.Outcome) {
    var cuts = cuts
    var reader = ProxyHeaderReader()
    var rest = bytes
    var used = 0
    while !rest.isEmpty {
        let piece = ExactBytes(rest.prefix(cuts.next(of: rest.count)))
        let step = reader.take(UnsafeRawBufferPointer(start: piece.start, count: piece.count))
        require(step.used <= piece.count, "took \(step.used) of \(piece.count) bytes")
        used += step.used
        if step.outcome != .more { return (used, step.outcome) }
        require(step.used == piece.count, "left \(piece.count - step.used) bytes of a header that is not complete")
        rest = rest.dropFirst(piece.count)
    }
    return (used, .more)
}

/// However it is cut, a PROXY protocol header names the same client and ends at the same byte, within its bounds.
@c(LLVMFuzzerTestOneInput)
public func fuzzProxyHeader(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    let cuts = FuzzCuts(input.choice())
    let whole = read(input.rest, .none)
    let pieces = read(input.rest, cuts)
    require(whole.outcome == pieces.outcome, "whole: \(whole), in pieces: \(pieces)")
    guard whole.outcome != .refused else { return 0 }
    require(whole.used == pieces.used, "whole: \(whole), in pieces: \(pieces)")
    require(whole.used <= ProxyHeaderReader.maxV2Bytes, "a header of \(whole.used) bytes")
    if case .done = whole.outcome {
        let exact = read(input.rest.prefix(whole.used), .none)
        require(exact == whole, "depends on what follows: \(whole), alone \(exact)")
    }
    return 0
}

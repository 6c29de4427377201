import Glibc

@testable import WeirEngine

/// What a decoder made of a message's bytes.
private struct Outcome: Equatable {
    var body: [UInt8] = []
    var consumed = 0
    var finished = false
    var failed = false
}

private func decode(_ message: ArraySlice<UInt8>, _ framing: BodyFraming, _ cuts: FuzzCuts) -> Outcome {
    var decoder = H1BodyDecoder(framing)
    var cuts = cuts
    var outcome = Outcome()
    while outcome.consumed < message.count {
        let piece = ExactBytes(
            message.dropFirst(outcome.consumed).prefix(cuts.next(of: message.count - outcome.consumed)))
        var used = 0
        while used < piece.count {
            let step = decoder.next(piece.start + used, count: piece.count - used)
            // What came before a failure depends on the cuts, and is of no use.
            if step.failed { return Outcome(failed: true) }
            require(step.consumed <= piece.count - used, "more consumed than given")
            require(step.bodyStart + step.bodyCount <= step.consumed, "a body outside of what is consumed")
            outcome.body += UnsafeBufferPointer(start: piece.start + used + step.bodyStart, count: step.bodyCount)
            used += step.consumed
            outcome.consumed += step.consumed
            if step.finished {
                outcome.finished = true
                return outcome
            }
            require(step.consumed > 0, "no progress")
        }
    }
    return outcome
}

/// A body as our own serialiser writes it, in chunks cut as chosen.
private func encode(_ body: ArraySlice<UInt8>, _ cuts: FuzzCuts) -> [UInt8] {
    var cuts = cuts
    var rest = body
    var message: [UInt8] = []
    while !rest.isEmpty {
        let chunk = rest.prefix(cuts.next(of: rest.count))
        let head = ExactBytes(room: H1Serializer.chunkHeadBound)
        message += head.bytes(H1Serializer.writeChunkHead(chunk.count, into: head.start))
        message += chunk
        message += H1Serializer.chunkEnd
        rest = rest.dropFirst(chunk.count)
    }
    return message + H1Serializer.lastChunk
}

/// However it is cut, a body, its chunks and its trailers give the same bytes and the same end; ours are read back.
@c(LLVMFuzzerTestOneInput)
public func fuzzChunkedBody(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    let cuts = FuzzCuts(input.choice())
    let options = input.choice()
    let framing: BodyFraming = options < 192 ? .chunked : .length(UInt64(options - 192) * 3)

    let whole = decode(input.rest, framing, FuzzCuts(255))
    let pieces = decode(input.rest, framing, cuts)
    require(whole == pieces, "whole: \(whole), in pieces: \(pieces)")

    let message = encode(input.rest, cuts)
    let back = decode(message[...], .chunked, FuzzCuts(options))
    require(back.finished && back.consumed == message.count && back.body == Array(input.rest), "our own: \(back)")
    return 0
}

@testable import WeirEngine

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

    let whole = BodyOutcome(decoding: input.rest, framing, .none)
    let pieces = BodyOutcome(decoding: input.rest, framing, cuts)
    require(whole == pieces, "whole: \(whole), in pieces: \(pieces)")

    let message = encode(input.rest, cuts)
    let back = BodyOutcome(decoding: message[...], .chunked, FuzzCuts(options))
    require(back.finished && back.consumed == message.count && back.body == Array(input.rest), "our own: \(back)")
    return 0
}

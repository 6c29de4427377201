@testable import WeirEngine

/// What a text is decoded to, piece by piece; `nil` when it is refused.
private func decode(_ text: ArraySlice<UInt8>, _ cuts: FuzzCuts) -> [UInt8]? {
    var cuts = cuts
    var rest = text
    var decoder = GRPCWebTextDecoder()
    var all: [UInt8] = []
    while !rest.isEmpty {
        let piece = Array(rest.prefix(cuts.next(of: rest.count)))
        let room = ExactBytes(room: GRPCWebTextDecoder.bound(piece.count))
        guard let length = piece.withUnsafeBytes({ decoder.decode($0, into: room.start) }) else { return nil }
        all += room.bytes(length)
        rest = rest.dropFirst(piece.count)
    }
    return decoder.isWhole ? all : nil
}

private func encode(_ messages: ArraySlice<UInt8>, _ cuts: FuzzCuts) -> [UInt8] {
    var cuts = cuts
    var rest = messages
    var encoder = GRPCWebTextEncoder()
    var all: [UInt8] = []
    while !rest.isEmpty {
        let piece = Array(rest.prefix(cuts.next(of: rest.count)))
        let room = ExactBytes(room: GRPCWebTextEncoder.bound(piece.count))
        let length = piece.withUnsafeBytes { encoder.encode($0, into: room.start) }
        all += room.bytes(length)
        rest = rest.dropFirst(piece.count)
    }
    let last = ExactBytes(room: 4)
    return all + last.bytes(encoder.finish(into: last.start))
}

/// However it is cut, a text gives the same bytes or is refused; what is encoded is read back.
@c(LLVMFuzzerTestOneInput)
public func fuzzGRPCWebText(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    let cuts = FuzzCuts(input.choice())

    let whole = decode(input.rest, .none)
    let pieces = decode(input.rest, cuts)
    require(whole == pieces, "whole: \(String(describing: whole)), in pieces: \(String(describing: pieces))")

    let text = encode(input.rest, .none)
    require(text == encode(input.rest, cuts), "cuts show in what is encoded")
    require(decode(text[...], cuts) == Array(input.rest), "our own is not read back")
    return 0
}

@testable import WeirEngine

/// What is found in these bytes: nothing yet, a refusal, or a name.
private enum Found: Equatable {
    case nothing
    case refused
    case name([UInt8])
}

private func read(_ bytes: ArraySlice<UInt8>) -> Found {
    let exact = ExactBytes(bytes)
    switch ClientHello.read(UnsafeRawBufferPointer(start: exact.start, count: exact.count)) {
    case .needMore: return .nothing
    case .refused: return .refused
    case .complete(let hello): return .name(hello.serverName)
    }
}

/// What is known of a hello from its beginning stays so when more of it comes.
@c(LLVMFuzzerTestOneInput)
public func fuzzClientHello(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    var cuts = FuzzCuts(input.choice())
    let whole = read(input.rest)
    var length = 0
    while length < input.rest.count {
        length += cuts.next(of: input.rest.count - length)
        let part = read(input.rest.prefix(length))
        require(part == .nothing || part == whole, "\(part) in \(length) bytes, \(whole) in \(input.rest.count)")
        if part != .nothing { break }
    }
    return 0
}

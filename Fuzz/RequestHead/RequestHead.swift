@testable import WeirEngine

/// All a request head says, copied out of the bytes it points into.
private struct Said: Equatable {
    var method: [UInt8]
    var methodMayHaveBody: Bool
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
        methodMayHaveBody = head.method.mayHaveBody
        target = Array(head.target)
        pathLength = head.pathLength
        authority = Array(head.authority)
        hostLength = head.hostLength
        framing = head.framing
        keepAlive = head.keepAlive
        expectsContinue = head.expectsContinue
        wantsUpgrade = head.wantsUpgrade
        isGRPC = head.isGRPC
        lines = fieldLines(head.block)
    }
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
    // Blanks and a short name for the framing may make a head a little longer.
    limits.maxHeadBytes *= 4
    // HTTP/1.0 needs no Host; what goes on has one.
    limits.maxHeaderLines += 1
    let further = H1Parser(limits: limits, scheme: scheme)
    let read = checkHead(input.rest, cuts, parser, further: further) { message, cuts, parser in
        var parser = parser
        let head = RequestHead()
        defer { head.free() }
        return parseInPieces(message, cuts) {
            parser.parseRequest($0, count: $1, into: head)
        } accepted: {
            let bound = H1Serializer.requestBound(head)
            return (Said(head), serialised(bound: bound) { H1Serializer.writeRequest(head, into: $0) })
        }
    }

    guard let (said, again) = read else { return 0 }
    require(said.target.first == ASCII.slash, "no origin form: \(said.target)")
    require(again.method == said.method && again.target == said.target, "another method or target")
    require(again.pathLength == said.pathLength, "another path")
    require(again.authority == said.authority && again.hostLength == said.hostLength, "another host")
    // A method that may have a body says of none that it is empty; every other framing goes on as it is.
    let goesOn: BodyFraming = said.framing == .none && said.methodMayHaveBody ? .length(0) : said.framing
    require(again.framing == goesOn, "another framing")
    require(again.lines == said.lines, "other lines: \(said.lines) \(again.lines)")
    require(again.wantsUpgrade == said.wantsUpgrade, "a tunnel where none was asked for, or none where one was")
    require(again.keepAlive, "a field for one hop went on")
    return 0
}

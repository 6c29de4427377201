import Glibc

@testable import WeirEngine

/// One byte a scalar, so that tables can hold any byte as `\u{80}`.
func latin1(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

func text(_ bytes: UnsafeRawBufferPointer) -> String {
    String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}

/// A live line as it would go on.
struct Line: Equatable, CustomStringConvertible {
    var name: String
    var value: String

    init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    var description: String { "\(name): \(value)" }
}

func liveLines(_ block: borrowing HeaderBlock) -> [Line] {
    (0..<block.count).filter { !block.fields[$0].removed }.map {
        Line(text(block.fields[$0].nameBytes), text(block.fields[$0].valueBytes))
    }
}

/// All a request head says, copied out of the bytes it points into.
struct ParsedRequest: Equatable {
    var method: MethodToken
    var methodText: String
    var target: String
    var path: String
    var query: String
    var authority: String
    var host: String
    var framing: BodyFraming
    var version: HTTPVersion
    var keepAlive: Bool
    var expectsContinue: Bool
    var wantsUpgrade: Bool
    var isGRPC: Bool
    var lines: [Line]

    init(_ head: RequestHead) {
        method = head.method
        methodText = text(head.methodBytes)
        target = text(UnsafeRawBufferPointer(head.target))
        path = text(head.path)
        query = text(head.query)
        authority = text(head.authority)
        host = text(head.host)
        framing = head.framing
        version = head.version
        keepAlive = head.keepAlive
        expectsContinue = head.expectsContinue
        wantsUpgrade = head.wantsUpgrade
        isGRPC = head.isGRPC
        lines = liveLines(head.block)
    }
}

struct ParsedResponse: Equatable {
    var status: Int
    var reason: String
    var framing: BodyFraming
    var keepAlive: Bool
    var lines: [Line]

    init(_ head: ResponseHead) {
        status = head.status
        reason = text(head.reason)
        framing = head.framing
        keepAlive = head.keepAlive
        lines = liveLines(head.block)
    }
}

enum Outcome<Head: Equatable>: Equatable {
    case accepted(Head, consumed: Int)
    case refused(H1Error)
    case incomplete
}

/// Received bytes that move to memory of exactly their size with every piece, as a connection's may.
struct MovingBytes: ~Copyable {
    private(set) var bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 0)
    private(set) var count = 0

    mutating func append(_ piece: some Collection<UInt8>) {
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: count + piece.count)
        moved.update(from: bytes, count: count)
        for (offset, byte) in piece.enumerated() { moved[count + offset] = byte }
        bytes.update(repeating: 0xdd, count: count)
        bytes.deallocate()
        bytes = moved
        count += piece.count
    }

    deinit { bytes.deallocate() }
}

/// Parses a request that arrives cut before each of `cuts`.
func parseRequest(
    _ bytes: [UInt8], cuts: [Int] = [], limits: H1Limits = H1Limits(), scheme: Scheme = .http,
    acceptsHTTP10: Bool = false
) -> Outcome<ParsedRequest> {
    var parser = H1Parser(limits: limits, scheme: scheme, acceptsHTTP10: acceptsHTTP10)
    let head = RequestHead()
    defer { head.free() }
    return feed(bytes, cuts) { start, count in
        switch parser.parseRequest(start, count: count, into: head) {
        case .needMore: nil
        case .failed(let error): .refused(error)
        case .complete(let consumed): .accepted(ParsedRequest(head), consumed: consumed)
        }
    }
}

/// As above, for a response; each call gets another head, as the pooled ones do.
func parseResponse(
    _ bytes: [UInt8], to method: MethodToken = .get, cuts: [Int] = [], limits: H1Limits = H1Limits()
) -> Outcome<ParsedResponse> {
    var parser = H1Parser(limits: limits)
    return feed(bytes, cuts) { start, count in
        let head = ResponseHead()
        defer { head.free() }
        return switch parser.parseResponse(start, count: count, requestMethod: method, into: head) {
        case .needMore: nil
        case .failed(let error): .refused(error)
        case .complete(let consumed): .accepted(ParsedResponse(head), consumed: consumed)
        }
    }
}

private func feed<Head>(
    _ bytes: [UInt8], _ cuts: [Int], _ parse: (UnsafeMutablePointer<UInt8>, Int) -> Outcome<Head>?
) -> Outcome<Head> {
    var received = MovingBytes()
    var from = 0
    for cut in cuts + [bytes.count] {
        received.append(bytes[from..<cut])
        from = cut
        if let outcome = parse(received.bytes, received.count) { return outcome }
    }
    return .incomplete
}

func request(_ text: String, scheme: Scheme = .http) -> Outcome<ParsedRequest> {
    parseRequest(latin1(text), scheme: scheme)
}

/// The head, or `nil` when the request was not accepted whole.
func accepted(_ text: String, scheme: Scheme = .http) -> ParsedRequest? {
    guard case .accepted(let head, _) = request(text, scheme: scheme) else { return nil }
    return head
}

func response(_ text: String, to method: MethodToken = .get) -> Outcome<ParsedResponse> {
    parseResponse(latin1(text), to: method)
}

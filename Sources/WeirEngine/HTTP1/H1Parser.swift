import Glibc

/// Bounds on one message head.
struct H1Limits {
    /// Start line and fields, line ends included (Istio's gateway: 60 KiB; the URL counts in it).
    var maxHeadBytes = 60 * 1024
    /// Field lines (Istio's gateway: 100).
    var maxHeaderLines = HeaderBlock.maxReceived
    /// Empty lines tolerated in front of a request (RFC 9112 section 2.2 asks for one).
    static let maxLeadingEmptyLines = 4
    /// Longest known method.
    static let maxMethodBytes = 11
    /// Bytes within which a start line that cannot become one is noticed before it ends.
    static let eagerBytes = 64
}

/// Why a head or a body was refused.
///
/// `status` is the answer a client gets; for responses each means a bad gateway.
enum H1Error: UInt8, Error {
    /// Bytes that are no HTTP/1.1 message, or one that could be read in two ways.
    case malformed
    /// No `Host` at all.
    case missingHost
    /// The path holds an escaped NUL.
    case badPath
    /// `https` asked for on a plaintext listener.
    case schemeMismatch
    /// `OPTIONS *`: not meant for any route.
    case asteriskTarget
    /// CONNECT: Weir is no forward proxy.
    case connectMethod
    /// A message took longer than it may; for the connection to use.
    case timedOut
    /// HTTP/0.9, or HTTP/1.0 where it is not served.
    case versionTooLow
    /// The head has too many bytes or lines.
    case headTooLarge
    /// A transfer coding other than exactly `chunked`.
    case unsupportedTransferCoding
    /// HTTP/1.2 and beyond.
    case versionNotSupported

    var status: Int {
        switch self {
        case .malformed, .missingHost, .badPath: 400
        case .schemeMismatch: 403
        case .asteriskTarget, .connectMethod: 404
        case .timedOut: 408
        case .versionTooLow: 426
        case .headTooLarge: 431
        case .unsupportedTransferCoding: 501
        case .versionNotSupported: 505
        }
    }
}

enum H1ParseResult: Equatable {
    /// The head is not complete; call again with more of it.
    case needMore
    /// The head is complete; `consumed` bytes belong to it.
    case complete(consumed: Int)
    case failed(H1Error)
}

/// Reads one HTTP/1.1 message head, strictly (RFC 9112): what could be read in two ways is refused, never repaired.
///
/// The usual head is there whole and is read in one pass. One that arrives in pieces is only searched for its end, each
/// byte once, and read when that has come; nothing points into the bytes between two calls, so they may move.
/// Folds names to lower case and normalises the target in place.
struct H1Parser {
    // A connection keeps one of these, so what is short lies together.

    let limits: H1Limits
    /// Bytes searched for line ends so far; 0 before the first call.
    private var scanned = 0
    /// Where the line being searched begins.
    private var lineStart = 0
    private var emptyLines: Int16 = 0
    private var fieldLines: Int16 = 0
    private var hasStartLine = false
    /// What the listener speaks; decides what absolute-form targets may say.
    let scheme: Scheme
    /// HTTP/1.0 requests are read instead of refused.
    private let acceptsHTTP10: Bool

    init(limits: H1Limits = H1Limits(), scheme: Scheme = .http, acceptsHTTP10: Bool = false) {
        self.limits = limits
        self.scheme = scheme
        self.acceptsHTTP10 = acceptsHTTP10
    }

    /// Readies the parser for the next head.
    mutating func reset() {
        scanned = 0
        lineStart = 0
        emptyLines = 0
        fieldLines = 0
        hasStartLine = false
    }

    /// Reads a request head from bytes that begin with its first byte; each call passes all of them again, and more.
    mutating func parseRequest(
        _ bytes: UnsafeMutablePointer<UInt8>, count: Int, into head: RequestHead
    ) -> H1ParseResult {
        if scanned > 0, let verdict = searchEnd(bytes, count) { return verdict }
        var reader = H1RequestReader(
            bytes: bytes, count: count, limits: limits, scheme: scheme, acceptsHTTP10: acceptsHTTP10)
        return settle(reader.read(into: head), bytes, count)
    }

    /// Reads the head of a response to a request with `requestMethod`; otherwise as `parseRequest`.
    mutating func parseResponse(
        _ bytes: UnsafeMutablePointer<UInt8>, count: Int, requestMethod: MethodToken, into head: ResponseHead
    ) -> H1ParseResult {
        if scanned > 0, let verdict = searchEnd(bytes, count) { return verdict }
        var reader = H1ResponseReader(bytes: bytes, count: count, limits: limits)
        return settle(reader.read(requestMethod: requestMethod, into: head), bytes, count)
    }

    /// Applies the limit on bytes, and begins the search for the end of a head that is not complete.
    private mutating func settle(
        _ result: H1ParseResult, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int
    ) -> H1ParseResult {
        switch result {
        case .complete(let consumed):
            return consumed > limits.maxHeadBytes ? .failed(.headTooLarge) : result
        case .failed:
            return result
        case .needMore:
            if count >= limits.maxHeadBytes { return .failed(.headTooLarge) }
            if scanned == 0, case .failed(let error) = searchEnd(bytes, count) { return .failed(error) }
            return .needMore
        }
    }

    /// Searches new bytes for line ends.
    ///
    /// `nil`: the start line or the head has become complete, reading is worth it.
    private mutating func searchEnd(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> H1ParseResult? {
        var worthReading = !hasStartLine && count <= H1Limits.eagerBytes
        while scanned < count, let found = memchr(bytes + scanned, Int32(ASCII.lineFeed), count - scanned) {
            let end = UnsafePointer<UInt8>(found.assumingMemoryBound(to: UInt8.self)) - UnsafePointer(bytes)
            // A line ends in CRLF, nothing else (RFC 9112 section 2.2).
            guard end > lineStart, bytes[end - 1] == ASCII.carriageReturn else { return .failed(.malformed) }
            let isEmpty = end - lineStart == 1
            scanned = end + 1
            lineStart = scanned
            if !hasStartLine {
                if isEmpty {
                    emptyLines += 1
                    if emptyLines > H1Limits.maxLeadingEmptyLines { return .failed(.malformed) }
                    continue
                }
                hasStartLine = true
                worthReading = true
            } else if isEmpty {
                return nil
            } else {
                fieldLines += 1
                if fieldLines > limits.maxHeaderLines { return .failed(.headTooLarge) }
            }
        }
        scanned = count
        if worthReading { return nil }
        return count >= limits.maxHeadBytes ? .failed(.headTooLarge) : .needMore
    }
}

import Glibc

@testable import WeirEngine

/// A finished request made by hand, and the line a format makes of it.
final class LoggedRequest {
    /// 2026-11-21T03:02:05.093456789Z in nanoseconds since 1970.
    static let startedAt: UInt64 = 1_795_230_125_093_456_789

    var record = RequestRecord()
    var downstream: DownstreamInfo
    var upstream: LogAddress?
    private var texts: [Held] = []
    var cluster = "outbound|80||origin.example.com"
    var capture = LogCapture()
    /// Nanoseconds from start to end.
    var duration: UInt64 = 23_999_999
    /// `nil`: it could not be read.
    private(set) var head: RequestHead?
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    /// A request as it stands on the wire, its bytes one a scalar.
    init(_ request: String = "GET /a?b=c HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: probe/1.0\r\nX-A: 1\r\n\r\n")
    {
        let text = latin1(request)
        bytes = .allocate(capacity: text.count)
        _ = bytes.initialize(fromContentsOf: text)
        let head = RequestHead()
        var parser = H1Parser()
        let result = parser.parseRequest(bytes.baseAddress!, count: text.count, into: head)
        precondition(result == .complete(consumed: text.count), "the test's request is refused: \(result)")
        self.head = head
        downstream = DownstreamInfo(peer: Self.address("192.0.2.7", 1234), listener: 0, scheme: .http)
        downstream.connectionID = 77
        downstream.remote = hold("192.0.2.7", 1234)
        downstream.local = hold("198.51.100.1", 8080)
        upstream = hold("10.0.0.9", 80)
        capture.upstreamLocal = hold("10.0.0.1", 40_000)
        // The monotonic clock began in 1970: then nothing has to be added to it.
        record.startedAt = Self.startedAt
        record.status = 200
        record.requestBodyBytes = 5
        record.responseBodyBytes = 128
        record.requestHeadBytes = 70
        record.responseHeadBytes = 190
        record.upstreamMilliseconds = 20
        record.requestMilliseconds = 3
        record.clusterID = 0
    }

    deinit {
        head?.free()
        bytes.deallocate()
    }

    static func address(_ host: String, _ port: UInt16) -> SocketAddress {
        guard let address = SocketAddress(numericHost: host, port: port) else { preconditionFailure("an address") }
        return address
    }

    private final class Held {
        let text: LogAddressText
        init(_ address: EndpointAddress) { text = LogAddressText(address) }
    }

    /// An address's text, as long as the request lives.
    func hold(_ address: EndpointAddress) -> LogAddress {
        let held = Held(address)
        texts.append(held)
        return held.text.address
    }

    func hold(_ host: String, _ port: UInt16) -> LogAddress? {
        EndpointAddress(Self.address(host, port)).map { hold($0) }
    }

    /// As if the codec had refused it.
    func forgetHead() {
        head?.free()
        head = nil
    }

    func keep(_ value: String, at place: Int) {
        Array(value.utf8).withUnsafeBytes { capture.keep($0, at: place) }
    }

    /// A line Weir adds to the request on its way.
    func add(_ token: HeaderName, _ name: StaticString, _ value: StaticString) {
        head?.block.append(token, name, value: value)
    }

    /// What `format` makes of it, without the line's end, a byte a scalar.
    func line(_ format: String) throws -> String {
        let log = try AccessLog(format: AccessLogFormat(format), workers: 1)
        let logger = AccessLogger(log, worker: 0)
        write(to: logger)
        let line = text(log.rings[0].waiting)
        precondition(line.hasSuffix("\n") && !line.dropLast().contains("\n"), "not one line: \(line)")
        return String(line.dropLast())
    }

    func write(to logger: AccessLogger) {
        var subject = LogSubject(
            record: record, peer: downstream.remote, local: downstream.local,
            connectionID: downstream.connectionID, scheme: downstream.scheme, endedAt: record.startedAt + duration,
            wallOffset: 0, head: head)
        subject.upstream = upstream
        let name = Array(cluster.utf8)
        name.withUnsafeBytes { bytes in
            subject.clusterName = bytes
            logger.write(subject, capture)
        }
    }
}

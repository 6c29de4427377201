import WeirSources

/// What sample requests came to.
struct TrafficTally: Sendable, Equatable {
    /// Answers with status 200, in the order of `ReviewsVersion.all`.
    var counts = ReviewsVersion.all.map { _ in 0 }
    var failures = 0
    /// Seconds spent on requests.
    var seconds = 0.0

    var answered: Int { counts.reduce(0, +) }
    var sent: Int { answered + failures }

    /// Percent of the answers; 0 when there are none.
    func share(_ index: Int) -> Double { answered == 0 ? 0 : Double(counts[index]) * 100 / Double(answered) }

    /// Every request answered, and each version within 5 percentage points of its weight.
    var isAsConfigured: Bool {
        failures == 0 && answered > 0
            && ReviewsVersion.all.indices.allSatisfy { abs(share($0) - Double(ReviewsVersion.all[$0].weight)) <= 5 }
    }
}

/// Sends requests over a few keep-alive connections, one request at a time.
///
/// Blocks; for a thread of its own.
struct SampleTraffic {
    static let connections = 4
    /// Seconds one call on a connection may take.
    static let limitSeconds = 5.0

    let port: Int

    /// Sends `count` requests and calls `progress` after every `step` of them.
    func send(_ count: Int, step: Int, progress: (TrafficTally) -> Void) -> TrafficTally {
        var tally = TrafficTally()
        let clients = (0..<Self.connections).map { _ in SampleClient(port: port) }
        for number in 1...count {
            let start = SystemClock.now
            do throws(ProbeFailure) {
                let version = try clients[number % clients.count].ask("/reviews/0")
                guard let index = ReviewsVersion.all.firstIndex(where: { $0.name == version }) else {
                    throw ProbeFailure("an answer without a version")
                }
                tally.counts[index] += 1
            } catch {
                tally.failures += 1
            }
            tally.seconds += SystemClock.now - start
            if number % step == 0 { progress(tally) }
        }
        return tally
    }
}

/// One keep-alive connection that is opened when needed.
private final class SampleClient {
    /// A socket is not copyable, an array's elements are: hence the box.
    private final class Box {
        let socket: BlockingSocket
        init(_ socket: consuming BlockingSocket) { self.socket = socket }
    }

    private let address: HostPort
    private var open: Box?

    init(port: Int) { address = HostPort(host: "127.0.0.1", port: port) }

    /// Sends a GET and returns the header `x-reviews-version` of a 200.
    func ask(_ path: String) throws(ProbeFailure) -> String {
        do throws(ProbeFailure) {
            return try exchange(path)
        } catch {
            open = nil
            throw error
        }
    }

    private func exchange(_ path: String) throws(ProbeFailure) -> String {
        let box: Box
        if let open { box = open } else { box = try connect() }
        open = box
        try box.socket.send("GET \(path) HTTP/1.1\r\nhost: demo.example.com\r\n\r\n")
        var received: [UInt8] = []
        while true {
            if let head = SampleHead(received) {
                guard head.status == 200 else { throw ProbeFailure("status \(head.status)") }
                if received.count >= head.totalBytes { return head.version }
            }
            let piece = try box.socket.receive()
            guard !piece.isEmpty, received.count < 1 << 20 else { throw ProbeFailure("the connection ended early") }
            received += piece
        }
    }

    private func connect() throws(ProbeFailure) -> Box {
        Box(try BlockingSocket(connecting: address, limitSeconds: SampleTraffic.limitSeconds))
    }
}

/// What the demo's client reads of a response head.
struct SampleHead: Equatable {
    var status: Int
    var version = ""
    /// Head and body.
    var totalBytes: Int

    /// `nil` until the head is whole.
    init?(_ bytes: [UInt8]) {
        var end = 0
        while end + 4 <= bytes.count, !bytes[end..<end + 4].elementsEqual([13, 10, 13, 10]) { end += 1 }
        guard end + 4 <= bytes.count else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        status = lines.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
        totalBytes = end + 4
        for line in lines.dropFirst() {
            let sides = line.split(separator: ":", maxSplits: 1)
            guard sides.count == 2 else { continue }
            let value = sides[1].drop { $0 == " " }
            switch sides[0].lowercased() {
            case "x-reviews-version": version = String(value)
            case "content-length": totalBytes += Int(value) ?? 0
            default: break
            }
        }
    }
}

/// The numbers of one series: sums and histograms of duration and sizes, in 512 bytes.
///
/// Trivial; borrows from a table or a copy. Laid out so that a request touches few cache lines: the first holds the sums and the
/// durations up to 25 ms; the size counters of one bucket lie side by side, since head and body of a request and of its answer are
/// often alike. Buckets are not cumulative. The number of requests is the sum over any histogram.
///
/// Additions wrap: 2^64 requests, bytes or milliseconds do not happen in a process's life.
struct MetricSeries {
    static let words = 64
    private static let durationSum = 0
    private static let requestBytesSum = 1
    private static let responseBytesSum = 2
    /// Duration buckets 0 to 4.
    private static let quickDurations = 3
    private static let quickCount = 5
    private static let sizes = 8
    /// Duration buckets 5 to 19.
    private static let slowDurations = 48
    private static let key = 63

    let base: UnsafeMutablePointer<UInt64>

    /// Lays a series without requests over `words` words.
    init(making key: MetricKey, at base: UnsafeMutablePointer<UInt64>) {
        base.initialize(repeating: 0, count: Self.words)
        base[Self.key] = key.rawValue
        self.base = base
    }

    init(at base: UnsafeMutablePointer<UInt64>) { self.base = base }

    var key: MetricKey { MetricKey(rawValue: base[Self.key]) }

    /// Counts one request.
    @inline(__always)
    func add(milliseconds: UInt64, requestBytes: UInt64, responseBytes: UInt64, _ bounds: UnsafeMutablePointer<UInt64>)
    {
        base[Self.durationSum] &+= milliseconds
        base[Self.requestBytesSum] &+= requestBytes
        base[Self.responseBytesSum] &+= responseBytes
        base[Self.duration(HistogramBounds.bucket(milliseconds, bounds))] &+= 1
        base[Self.sizes + 2 * HistogramBounds.bucket(requestBytes, bounds)] &+= 1
        base[Self.sizes + 2 * HistogramBounds.bucket(responseBytes, bounds) + 1] &+= 1
    }

    // MARK: Connections whose bytes pass through

    // Their series (`MetricKey.isStream`) have four sums and no histograms.
    private static let streamsOpened = quickDurations
    private static let streamsClosed = quickDurations + 1
    private static let streamBytesReceived = requestBytesSum
    private static let streamBytesSent = responseBytesSum

    func streamOpened() { base[Self.streamsOpened] &+= 1 }
    func streamClosed() { base[Self.streamsClosed] &+= 1 }
    /// From the client.
    func streamReceived(_ bytes: UInt64) { base[Self.streamBytesReceived] &+= bytes }
    /// To the client.
    func streamSent(_ bytes: UInt64) { base[Self.streamBytesSent] &+= bytes }

    var openedStreams: UInt64 { base[Self.streamsOpened] }
    var closedStreams: UInt64 { base[Self.streamsClosed] }
    var receivedStreamBytes: UInt64 { base[Self.streamBytesReceived] }
    var sentStreamBytes: UInt64 { base[Self.streamBytesSent] }

    /// Adds the requests of another series.
    func add(_ other: MetricSeries) {
        for word in 0..<Self.key { base[word] &+= other.base[word] }
    }

    /// Forgets all requests.
    func clear() {
        for word in 0..<Self.key { base[word] = 0 }
    }

    /// Takes the requests of a part of this series out of it.
    func subtract(_ part: MetricSeries) {
        for word in 0..<Self.key { base[word] &-= part.base[word] }
    }

    /// One of the histograms.
    enum Histogram {
        case duration
        case requestBytes
        case responseBytes
    }

    func sum(_ histogram: Histogram) -> UInt64 {
        switch histogram {
        case .duration: base[Self.durationSum]
        case .requestBytes: base[Self.requestBytesSum]
        case .responseBytes: base[Self.responseBytesSum]
        }
    }

    func bucket(_ bucket: Int, _ histogram: Histogram) -> UInt64 {
        switch histogram {
        case .duration: base[Self.duration(bucket)]
        case .requestBytes: base[Self.sizes + 2 * bucket]
        case .responseBytes: base[Self.sizes + 2 * bucket + 1]
        }
    }

    /// Requests counted.
    var count: UInt64 {
        (0..<HistogramBounds.bucketCount).reduce(0) { $0 &+ bucket($1, .duration) }
    }

    @inline(__always)
    private static func duration(_ bucket: Int) -> Int {
        bucket < quickCount ? quickDurations + bucket : slowDurations + bucket - quickCount
    }
}

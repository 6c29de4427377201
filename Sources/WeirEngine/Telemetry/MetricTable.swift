/// Series by key, in memory of their own: an open-addressing hash table over records that never move.
///
/// One thread at a time. Nothing is allocated for a series that exists.
struct MetricTable: ~Copyable {
    /// Series of one worker: 20,000 of 512 bytes.
    static let workerLimit = 20_000
    /// Series without a destination kept beyond the limit, one for every kind of answer.
    static let spareSeries = 1024
    private static let slabSeries = 256

    private struct Entry {
        var key: UInt64
        /// `nil`: free.
        var series: UnsafeMutablePointer<UInt64>?
    }

    private let limit: Int
    private let bounds = HistogramBounds.makeTable()
    private var entries: UnsafeMutablePointer<Entry>
    /// log2 of the number of entries.
    private var bits: Int
    private var slabs: [UnsafeMutablePointer<UInt64>] = []
    private(set) var count = 0
    /// Combinations of response flags by their number; the first is none.
    private let flagSets = UnsafeMutablePointer<ResponseFlags>.allocate(capacity: MetricKey.flagLimit)
    private(set) var flagCount = 1
    /// Requests counted without their destination, because there were too many series.
    private(set) var overflowed: UInt64 = 0

    init(limit: Int = MetricTable.workerLimit) {
        self.limit = limit
        bits = 8
        entries = Self.makeEntries(bits: bits)
        flagSets.initialize(to: [])
    }

    deinit {
        for slab in slabs { slab.deallocate() }
        entries.deallocate()
        flagSets.deallocate()
        bounds.deallocate()
    }

    private static func makeEntries(bits: Int) -> UnsafeMutablePointer<Entry> {
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: 1 << bits)
        entries.initialize(repeating: Entry(key: 0, series: nil), count: 1 << bits)
        return entries
    }

    // MARK: Counting

    /// Counts a request that is over.
    mutating func count(_ record: borrowing RequestRecord, now: UInt64) {
        let cluster = Int(record.clusterID) + 1
        let key = MetricKey(
            cluster: cluster <= MetricKey.clusterLimit ? cluster : 0, workload: Int(record.workload),
            status: Int(min(record.status, 999)),
            call: MetricKey.call(isGRPC: record.isGRPC, status: record.grpcStatus),
            flags: record.flags.isEmpty ? 0 : flagNumber(record.flags))
        series(for: key).add(
            milliseconds: (now &- record.startedAt) / 1_000_000,
            requestBytes: record.requestHeadBytes &+ record.requestBodyBytes,
            responseBytes: record.responseHeadBytes &+ record.responseBodyBytes, bounds)
    }

    /// Where a connection is counted whose bytes pass through, as far as it has come; the series never moves.
    mutating func stream(_ record: borrowing RequestRecord) -> MetricSeries {
        let cluster = Int(record.clusterID) + 1
        return series(
            for: MetricKey(
                cluster: cluster <= MetricKey.clusterLimit ? cluster : 0, workload: Int(record.workload), status: 0,
                call: MetricKey.streamCall, flags: record.flags.isEmpty ? 0 : flagNumber(record.flags)))
    }

    /// The series of this key, made if need be; while the limit is reached, one without its destination.
    @inline(__always)
    mutating func series(for key: MetricKey) -> MetricSeries {
        let mask = 1 << bits - 1
        var index = Self.start(key, bits)
        while let series = entries[index].series {
            if entries[index].key == key.rawValue { return MetricSeries(at: series) }
            index = (index + 1) & mask
        }
        return newSeries(key)
    }

    /// The series of this key, if there is one.
    func find(_ key: MetricKey) -> MetricSeries? {
        let mask = 1 << bits - 1
        var index = Self.start(key, bits)
        while let series = entries[index].series {
            if entries[index].key == key.rawValue { return MetricSeries(at: series) }
            index = (index + 1) & mask
        }
        return nil
    }

    @inline(__always)
    private static func start(_ key: MetricKey, _ bits: Int) -> Int {
        Int(truncatingIfNeeded: (key.rawValue &* 0x9E37_79B9_7F4A_7C15) >> UInt64(truncatingIfNeeded: 64 &- bits))
    }

    @inline(never)
    private mutating func newSeries(_ key: MetricKey) -> MetricSeries {
        if count < limit { return insert(key) }
        let shared = count < limit + Self.spareSeries ? key.withoutDestination : .lost
        if shared != key { overflowed += 1 }
        if let series = find(shared) { return series }
        return insert(shared)
    }

    private mutating func insert(_ key: MetricKey) -> MetricSeries {
        if (count + 1) * 2 > 1 << bits { grow() }
        if count == slabs.count * Self.slabSeries {
            slabs.append(.allocate(capacity: Self.slabSeries * MetricSeries.words))
        }
        let series = MetricSeries(making: key, at: address(count))
        count += 1
        place(Entry(key: key.rawValue, series: series.base))
        return series
    }

    private mutating func place(_ entry: Entry) {
        let mask = 1 << bits - 1
        var index = Self.start(MetricKey(rawValue: entry.key), bits)
        while entries[index].series != nil { index = (index + 1) & mask }
        entries[index] = entry
    }

    private mutating func grow() {
        let former = entries
        let capacity = 1 << bits
        bits += 1
        entries = Self.makeEntries(bits: bits)
        for index in 0..<capacity where former[index].series != nil { place(former[index]) }
        former.deallocate()
    }

    // MARK: Flags

    /// The number of a combination of flags; 0, none, when there are too many.
    @inline(never)
    mutating func flagNumber(_ flags: ResponseFlags) -> Int {
        for number in 0..<flagCount where flagSets[number] == flags { return number }
        guard flagCount < MetricKey.flagLimit else { return 0 }
        (flagSets + flagCount).initialize(to: flags)
        flagCount += 1
        return flagCount - 1
    }

    /// The combination with this number.
    func flags(_ number: Int) -> ResponseFlags { flagSets[number] }

    // MARK: Reading

    /// The series with this number, in the order they were made.
    subscript(number: Int) -> MetricSeries {
        precondition(number < count, "no such series")
        return MetricSeries(at: address(number))
    }

    /// A copy of at most `most` series from this number on.
    func copy(from first: Int, most: Int) -> MetricCopy {
        let size = max(0, min(most, count - first))
        let copy = UnsafeMutablePointer<UInt64>.allocate(capacity: max(size, 1) * MetricSeries.words)
        var done = 0
        while done < size {
            let length = min(size - done, Self.slabSeries - (first + done) % Self.slabSeries)
            (copy + done * MetricSeries.words).initialize(
                from: address(first + done), count: length * MetricSeries.words)
            done += length
        }
        return MetricCopy(
            first: first, count: size, isLast: first + size >= count, series: copy,
            flagSets: (0..<flagCount).map { flagSets[$0] })
    }

    private func address(_ number: Int) -> UnsafeMutablePointer<UInt64> {
        slabs[number / Self.slabSeries] + number % Self.slabSeries * MetricSeries.words
    }
}

/// Some series of a worker as they were at one moment.
final class MetricCopy: @unchecked Sendable {
    // Sendable: immutable after init; what the pointer leads to is freed by deinit alone.

    let first: Int
    let count: Int
    /// There were none after these.
    let isLast: Bool
    /// The worker's combinations of flags by number.
    let flagSets: [ResponseFlags]
    private let series: UnsafeMutablePointer<UInt64>

    init(
        first: Int, count: Int, isLast: Bool, series: UnsafeMutablePointer<UInt64>, flagSets: [ResponseFlags]
    ) {
        self.first = first
        self.count = count
        self.isLast = isLast
        self.series = series
        self.flagSets = flagSets
    }

    deinit { series.deallocate() }

    subscript(number: Int) -> MetricSeries {
        precondition(number < count, "no such series")
        return MetricSeries(at: series + number * MetricSeries.words)
    }
}

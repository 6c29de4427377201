import Testing

@testable import WeirEngine

/// The table against a dictionary that does the same the slow way.
@Suite struct MetricTableTests {
    private struct Totals: Equatable {
        var count: UInt64 = 0
        var milliseconds: UInt64 = 0
        var requestBytes: UInt64 = 0
        var responseBytes: UInt64 = 0

        mutating func add(_ record: RequestRecord, _ milliseconds: UInt64) {
            count += 1
            self.milliseconds += milliseconds
            requestBytes += record.requestHeadBytes + record.requestBodyBytes
            responseBytes += record.responseHeadBytes + record.responseBodyBytes
        }

        init() {}

        init(_ series: MetricSeries) {
            count = series.count
            milliseconds = series.sum(.duration)
            requestBytes = series.sum(.requestBytes)
            responseBytes = series.sum(.responseBytes)
        }
    }

    private struct Identity: Hashable {
        var cluster: Int
        var workload: Int
        var status: Int
        var call: Int
        var flags: UInt32
    }

    private func record(_ random: inout FastRandom, clusters: UInt32) -> RequestRecord {
        var record = RequestRecord()
        record.startedAt = 1_000_000_000
        record.clusterID = Int32(random.below(clusters)) - 1
        record.workload = Int32(random.below(3))
        record.status = [200, 200, 404, 503, 0][Int(random.below(5))]
        record.flags = random.below(4) == 0 ? ResponseFlags(rawValue: 1 << random.below(11)) : []
        record.isGRPC = random.below(4) == 0
        record.grpcStatus = Int8(random.below(20)) - 1
        record.requestHeadBytes = UInt64(random.below(1000))
        record.requestBodyBytes = UInt64(random.below(100_000))
        record.responseHeadBytes = UInt64(random.below(1000))
        record.responseBodyBytes = UInt64(random.below(100_000))
        return record
    }

    private func identity(_ record: RequestRecord) -> Identity {
        let status = record.grpcStatus < 0 ? 1 : record.grpcStatus > 16 ? 4 : Int(record.grpcStatus) + 2
        return Identity(
            cluster: Int(record.clusterID) + 1, workload: Int(record.workload), status: Int(record.status),
            call: record.isGRPC ? status : 0, flags: record.flags.rawValue)
    }

    private func identity(_ table: borrowing MetricTable, _ key: MetricKey) -> Identity {
        Identity(
            cluster: key.cluster, workload: key.workload, status: key.status, call: key.call,
            flags: table.flags(key.flags).rawValue)
    }

    /// How often each way through the table was taken.
    private struct Branches {
        var known = 0
        var new = 0
        var withoutDestination = 0
    }

    @Test(arguments: [20_000, 300, 40])
    func countsAsADictionaryWould(limit: Int) {
        var table = MetricTable(limit: limit)
        var random = FastRandom(seed: UInt64(limit))
        var model: [Identity: Totals] = [:]
        var branches = Branches()
        for _ in 0..<20_000 {
            let record = record(&random, clusters: 60)
            let milliseconds = UInt64(random.below(5000))
            table.count(record, now: record.startedAt + milliseconds * 1_000_000 + 999_999)
            var identity = identity(record)
            if model[identity] != nil {
                branches.known += 1
            } else if model.count < limit {
                branches.new += 1
            } else {
                let former = identity
                (identity.cluster, identity.workload) = (0, 0)
                if identity != former { branches.withoutDestination += 1 }
            }
            model[identity, default: Totals()].add(record, milliseconds)
        }
        #expect(table.count == model.count)
        #expect(Int(table.overflowed) == branches.withoutDestination)
        for number in 0..<table.count {
            let series = table[number]
            let identity = identity(table, series.key)
            #expect(Totals(series) == model[identity])
            #expect(table.find(series.key)?.base == series.base)
        }
        #expect(branches.known > 100 && branches.new >= min(limit, 1000))
        #expect((branches.withoutDestination > 1000) == (limit < 1000))
    }

    @Test func whatCannotBeToldApartIsStillCounted() {
        var table = MetricTable(limit: 1)
        var record = RequestRecord()
        // More kinds of answers than there is room for without a destination.
        for status in 100...999 {
            for flags: UInt32 in [0, 1, 2] {
                record.status = UInt16(status)
                record.flags = ResponseFlags(rawValue: flags)
                table.count(record, now: 0)
            }
        }
        #expect(table.count == 1 + MetricTable.spareSeries + 1)
        #expect(table.find(.lost)?.count == UInt64(2700 - 1 - MetricTable.spareSeries))
        #expect((0..<table.count).reduce(0) { $0 + table[$1].count } == 2700)
        #expect(table.overflowed == UInt64(2700 - 1 - MetricTable.spareSeries))
    }

    @Test func oddValuesStayInTheirFields() {
        var table = MetricTable()
        var record = RequestRecord()
        record.clusterID = .max
        record.workload = Int32(MetricKey.workloadLimit - 1)
        record.status = .max
        record.isGRPC = true
        record.grpcStatus = 99
        record.flags = .localReset
        table.count(record, now: 0)
        let key = table[0].key
        #expect(key.cluster == 0 && key.workload == MetricKey.workloadLimit - 1 && key.status == 999)
        #expect(key.grpcStatus == 2 && table.flags(key.flags) == .localReset)
        // A clock that has not moved yet counts as no time at all.
        #expect(table[0].sum(.duration) == 0)
    }

    @Test func combinationsOfFlagsAreBounded() {
        var table = MetricTable()
        var numbers: Set<Int> = []
        for flags: UInt32 in 1..<400 { numbers.insert(table.flagNumber(ResponseFlags(rawValue: flags))) }
        #expect(numbers.count == MetricKey.flagLimit && table.flagCount == MetricKey.flagLimit)
        #expect(table.flags(table.flagNumber(ResponseFlags(rawValue: 17))).rawValue == 17)
    }

    @Test func copiesInPiecesAreTheWhole() {
        var table = MetricTable()
        var record = RequestRecord()
        for cluster in 0..<1000 {
            record.clusterID = Int32(cluster)
            for _ in 0...(cluster % 3) { table.count(record, now: 0) }
        }
        var counts: [UInt64] = []
        var isLast = false
        while !isLast {
            let copy = table.copy(from: counts.count, most: 300)
            // What happens meanwhile is not in it.
            for number in 0..<copy.count { table[copy.first + number].clear() }
            for number in 0..<copy.count { counts.append(copy[number].count) }
            isLast = copy.isLast
        }
        #expect(counts == (0..<1000).map { UInt64($0 % 3 + 1) })
        #expect(table.copy(from: 1000, most: 300).count == 0)
    }
}

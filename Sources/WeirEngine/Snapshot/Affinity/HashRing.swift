import Glibc

/// A consistent-hash ring: every endpoint has points on it in proportion to its weight, and a key belongs to the next one.
///
/// An endpoint has half the ring's minimum size in points (XXH64 of `ip:port_0`, `ip:port_1`, …), however many others there
/// are: when it goes, only its keys move, and when it comes, only those it takes. Beyond `evenPoints` the minimum size is divided
/// among the endpoints instead, as Envoy does at any size; then each of the others takes a few more points when one goes.
///
/// Trivial; the memory is its `AffinityTable`'s.
struct HashRing {
    /// Points a ring may have, whatever its minimum size and the spread of the weights.
    static let maxPoints = 8_388_608
    /// Points up to which an endpoint's own do not depend on the others.
    static let evenPoints = 65_536

    let count: Int
    /// In ascending order.
    private let points: UnsafeMutablePointer<UInt64>
    /// The endpoint of each point.
    private let endpoints: UnsafeMutablePointer<UInt32>
    /// By the upper bits of a key: the first point that may be its own.
    ///
    /// Points are spread evenly, so it mostly is.
    private let starts: UnsafeMutablePointer<UInt32>
    private let shift: UInt64

    /// At least `minimumSize` points in all.
    init(_ places: [AffinityTable.Place], minimumSize: Int) {
        let unsorted = Self.points(of: places, minimumSize: min(max(minimumSize, 1), Self.maxPoints))
        count = unsorted.count
        // One bucket a point or more, and at least two so that the shift is below 64.
        let bits = max(1, Int.bitWidth - (count - 1).leadingZeroBitCount)
        shift = UInt64(64 - bits)
        points = .allocate(capacity: count)
        endpoints = .allocate(capacity: count)
        starts = .allocate(capacity: 1 << bits)
        starts.initialize(repeating: 0, count: 1 << bits)
        sort(unsorted, buckets: 1 << bits)
    }

    func free() {
        points.deallocate()
        endpoints.deallocate()
        starts.deallocate()
    }

    /// The place of the endpoint a key belongs to.
    ///
    /// O(1) for points spread evenly. `passing`: so many points further on, which are mostly other endpoints'.
    func endpoint(for key: UInt64, passing: Int = 0) -> Int {
        var next = Int(starts[Int(truncatingIfNeeded: key &>> shift)])
        while next < count, points[next] < key { next += 1 }
        if passing > 0 { next = ((next < count ? next : 0) + passing) % count }
        return Int(endpoints[next < count ? next : 0])
    }

    /// Likewise among some endpoints: the places of others, which are negative in `members`, are passed by.
    ///
    /// `nil` when it has none. O(n/m) where m of n points are theirs.
    func member(for key: UInt64, passing: Int, among members: UnsafePointer<Int32>) -> Int? {
        var next = Int(starts[Int(truncatingIfNeeded: key &>> shift)])
        while next < count, points[next] < key { next += 1 }
        next = (next + passing) % count
        for _ in 0..<count {
            let member = members[Int(endpoints[next])]
            if member >= 0 { return Int(member) }
            next = next + 1 < count ? next + 1 : 0
        }
        return nil
    }

    // MARK: Building

    /// How many points there should be, the lightest endpoint having a whole number of them.
    private static func size(_ weights: [UInt32], minimumSize: Int) -> Double {
        let total = weights.reduce(0.0) { $0 + Double($1) }
        guard let lightest = weights.min(), lightest > 0 else { return 0 }
        let share = Double(lightest) / total
        let divided = (share * Double(minimumSize)).rounded(.up)
        let own = min((Double(minimumSize) / 2).rounded(.up), (share * Double(evenPoints)).rounded(.down))
        return max(divided, own) / share
    }

    private static func points(
        of places: [AffinityTable.Place], minimumSize: Int
    ) -> [(point: UInt64, endpoint: UInt32)] {
        let total = places.reduce(0.0) { $0 + Double($1.weight) }
        let size = min(Self.size(places.map(\.weight), minimumSize: minimumSize), Double(maxPoints))
        var points: [(point: UInt64, endpoint: UInt32)] = []
        points.reserveCapacity(Int(size.rounded(.up)))
        // A running sum, so that shares that are no whole numbers still add up.
        var due = 0.0
        for place in places {
            due += size * (Double(place.weight) / total)
            var text = Array(place.key.utf8) + [UInt8(ascii: "_")]
            let prefix = text.count
            var number = 0
            while Double(points.count) < due, points.count < maxPoints {
                text.removeSubrange(prefix...)
                withDecimal(number) { text.append(contentsOf: $0) }
                points.append((text.withUnsafeBytes { XXHash64.hash($0) }, place.index))
                number += 1
            }
        }
        return points
    }

    private static func withDecimal(_ number: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        // The largest number of a point has 7 digits; a decimal of 64 bits has at most 20.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { room in
            let count = ASCII.writeDecimal(UInt64(number), into: room.baseAddress!)
            body(UnsafeBufferPointer(rebasing: room[..<count]))
        }
    }

    /// Files the points by their upper bits, then sorts what lies in one bucket, which is about one.
    private func sort(_ unsorted: [(point: UInt64, endpoint: UInt32)], buckets: Int) {
        for entry in unsorted { starts[Int(entry.point &>> shift)] += 1 }
        var sum: UInt32 = 0
        for bucket in 0..<buckets {
            let size = starts[bucket]
            starts[bucket] = sum
            sum += size
        }
        for entry in unsorted {
            let bucket = Int(entry.point &>> shift)
            let place = Int(starts[bucket])
            (points + place).initialize(to: entry.point)
            (endpoints + place).initialize(to: entry.endpoint)
            starts[bucket] += 1
        }
        // Each bucket's start has become its end, which is the next one's start.
        memmove(starts + 1, starts, (buckets - 1) * MemoryLayout<UInt32>.stride)
        starts[0] = 0
        for index in 1..<max(count, 1) { sink(index) }
    }

    /// Moves a point down to where it belongs; equal ones keep their order.
    private func sink(_ index: Int) {
        let (point, endpoint) = (points[index], endpoints[index])
        var place = index
        while place > 0, points[place - 1] > point {
            points[place] = points[place - 1]
            endpoints[place] = endpoints[place - 1]
            place -= 1
        }
        points[place] = point
        endpoints[place] = endpoint
    }
}

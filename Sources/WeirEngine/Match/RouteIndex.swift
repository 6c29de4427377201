import Glibc

/// Finds the first matching route without trying all: every route is filed under one key, the one it shares with the
/// fewest others, and a lookup tries the few lists whose keys the request has.
///
/// Keys are 64-bit hashes; two keys that collide share a list, which costs time and never a wrong answer, because every
/// candidate passes the full test. Lists ascend, so first-match order is kept. Immutable after init.
struct RouteIndex: ~Copyable {
    /// Trivial view of one list of routes.
    struct List {
        var start: Int32 = 0
        var count: Int32 = 0
    }
    struct Slot {
        /// 0 marks an empty slot.
        var hash: UInt64 = 0
        var list = List()
    }
    /// How paths are hashed: as they are, or case-folded.
    struct PathKeys {
        var hasExact = false
        /// Ascending lengths of the filed prefixes, at `lengths[first...]`.
        var firstLength: Int32 = 0
        var lengthCount: Int32 = 0
    }

    /// So many lists are tried before a lookup scans all routes instead.
    ///
    /// A text that repeats a filed gram a thousand times would otherwise have its regex run as often.
    static let maxWalks = 128

    private let slots: UnsafeMutablePointer<Slot>
    private let slotMask: Int
    private let members: UnsafeMutablePointer<Int32>
    private let count: Int32
    private let lengths: UnsafeMutablePointer<Int32>
    private let names: UnsafeMutablePointer<UInt64>
    private let nameMask: Int
    /// Bit n: some filed header name has a length of n modulo 64.
    private let nameLengths: UInt64
    private let residual: List
    private let plain: PathKeys
    private let folded: PathKeys
    private let hasQueryKeys: Bool
    private let hasAuthorityKeys: Bool
    private let pathGrams: Gram.Lengths
    private let authorityGrams: Gram.Lengths
    private let headerGrams: Gram.Lengths

    init(_ routes: [[MatchCondition]]) {
        count = Int32(routes.count)
        var builder = RouteIndexBuilder(routes)
        builder.file()
        slots = builder.makeSlots()
        slotMask = builder.slotCapacity - 1
        members = .copy(of: builder.members)
        lengths = .copy(of: builder.lengths)
        names = builder.makeNames()
        nameMask = builder.nameCapacity - 1
        nameLengths = builder.nameLengths
        residual = builder.residual
        plain = builder.plain
        folded = builder.folded
        hasQueryKeys = builder.hasQueryKeys
        hasAuthorityKeys = builder.hasAuthorityKeys
        pathGrams = builder.pathGrams
        authorityGrams = builder.authorityGrams
        headerGrams = builder.headerGrams
    }

    deinit {
        slots.deallocate()
        members.deallocate()
        lengths.deallocate()
        names.deallocate()
    }

    var residualCount: Int { Int(residual.count) }

    /// The first route behind `after` whose conditions all hold, or -1.
    func next(after: Int32, _ request: UnsafePointer<RouteQuery>, _ matcher: RouteMatcher) -> Int32 {
        var search = RouteSearch(
            after: after, request: request, matcher: matcher, members: UnsafePointer(members), count: count)
        if plain.hasExact || plain.lengthCount > 0 { probePath(plain, folded: false, &search) }
        if folded.hasExact || folded.lengthCount > 0 { probePath(folded, folded: true, &search) }
        if nameLengths != 0 { probeHeaders(&search) }
        if hasAuthorityKeys {
            var hash = ByteHash(seed: RouteKey.authoritySeed)
            hash.add(request.pointee.authority)
            probe(hash.value, &search)
        }
        if hasQueryKeys { probeQuery(&search) }
        if !pathGrams.isEmpty {
            probeGrams(request.pointee.path, pathGrams, seed: RouteKey.exactPathSeed(folded: true), &search)
        }
        if !authorityGrams.isEmpty {
            probeGrams(request.pointee.authority, authorityGrams, seed: RouteKey.authoritySeed, &search)
        }
        search.walk(residual)
        if search.walks > Self.maxWalks { search.scan() }
        return search.found
    }

    @inline(__always)
    private func probe(_ hash: UInt64, _ search: inout RouteSearch) {
        var position = Int(truncatingIfNeeded: hash) & slotMask
        while slots[position].hash != 0 {
            if slots[position].hash == hash { return search.walk(slots[position].list) }
            position = (position &+ 1) & slotMask
        }
    }

    /// Exact key first, then the prefixes in one pass: each length's hash goes on from the one before.
    @inline(__always)  // `folded` is a constant at both calls
    private func probePath(_ keys: PathKeys, folded: Bool, _ search: inout RouteSearch) {
        let path = search.request.pointee.path
        guard let start = path.baseAddress else { return }
        if keys.hasExact {
            var hash = ByteHash(seed: RouteKey.exactPathSeed(folded: folded))
            hash.add(start, count: path.count, folded: folded)
            probe(hash.value, &search)
        }
        var hash = ByteHash(seed: RouteKey.prefixSeed(folded: folded))
        var hashed = 0
        let first = Int(keys.firstLength)
        for position in first..<(first + Int(keys.lengthCount)) {
            let length = Int(lengths[position])
            if length > path.count { return }
            hash.add(start + hashed, count: length &- hashed, folded: folded)
            hashed = length
            probe(hash.value, &search)
        }
    }

    private func probeHeaders(_ search: inout RouteSearch) {
        let fields = search.request.pointee.fields
        for index in 0..<search.request.pointee.fieldCount {
            let field = fields + index
            // The lengths alone rule most lines out.
            guard nameLengths &>> UInt64(field.pointee.nameLength & 63) & 1 != 0 else { continue }
            var hash = ByteHash(seed: RouteKey.headerSeed)
            hash.add(field.pointee.nameBytes)
            guard isFiled(name: hash.value) else { continue }
            if !headerGrams.isEmpty { probeGrams(field.pointee.valueBytes, headerGrams, seed: hash.value, &search) }
            hash.add(field.pointee.valueBytes)
            probe(hash.value, &search)
        }
    }

    /// Every place of the text, once for each length that is filed.
    private func probeGrams(
        _ text: UnsafeRawBufferPointer, _ lengths: Gram.Lengths, seed: UInt64, _ search: inout RouteSearch
    ) {
        if lengths.contains(8) { probeGrams(of: UInt64.self, text, seed: seed, &search) }
        if lengths.contains(4) { probeGrams(of: UInt32.self, text, seed: seed, &search) }
        if lengths.contains(2) { probeGrams(of: UInt16.self, text, seed: seed, &search) }
    }

    @inline(__always)  // one loop for each of the three types
    private func probeGrams<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        of type: Word.Type, _ text: UnsafeRawBufferPointer, seed: UInt64, _ search: inout RouteSearch
    ) {
        guard let start = text.baseAddress else { return }
        let length = MemoryLayout<Word>.size
        var place = 0
        while place &+ length <= text.count, search.walks <= Self.maxWalks {
            let bytes = UInt64(start.loadUnaligned(fromByteOffset: place, as: Word.self))
            probe(Gram.hash(bytes, length: UInt64(length), seed: seed), &search)
            place &+= 1
        }
    }

    private func isFiled(name hash: UInt64) -> Bool {
        var position = Int(truncatingIfNeeded: hash) & nameMask
        while names[position] != 0 {
            if names[position] == hash { return true }
            position = (position &+ 1) & nameMask
        }
        return false
    }

    private func probeQuery(_ search: inout RouteSearch) {
        var parameters = QueryParameters(search.request.pointee.query)
        // A repeated parameter is probed again: the full test then sees that only the first one counts.
        while let parameter = parameters.next() {
            var hash = ByteHash(seed: RouteKey.querySeed)
            hash.add(parameter.name)
            hash.add(parameter.value)
            probe(hash.value, &search)
        }
    }
}

/// One lookup under way: the lowest matching route so far.
struct RouteSearch {
    let after: Int32
    let request: UnsafePointer<RouteQuery>
    let matcher: RouteMatcher
    let members: UnsafePointer<Int32>
    /// Of all routes.
    let count: Int32
    private var best = Int32.max
    /// Lists tried so far.
    private(set) var walks = 0

    init(
        after: Int32, request: UnsafePointer<RouteQuery>, matcher: RouteMatcher, members: UnsafePointer<Int32>,
        count: Int32
    ) {
        self.count = count
        self.after = after
        self.request = request
        self.matcher = matcher
        self.members = members
    }

    var found: Int32 { best == .max ? -1 : best }

    /// Tries the routes of one list that lie between `after` and the best so far.
    mutating func walk(_ list: RouteIndex.List) {
        walks &+= 1
        var position = Int(list.start)
        let end = position + Int(list.count)
        if after >= 0 { position = firstBehind(after, from: position, to: end) }
        while position < end {
            let route = members[position]
            if route >= best { return }
            if matcher.matches(route, request) {
                best = route
                return
            }
            position += 1
        }
    }

    /// Tries every route between `after` and the best so far.
    mutating func scan() {
        var route = after + 1
        while route < min(best, count) {
            if matcher.matches(route, request) { best = route }
            route += 1
        }
    }

    private func firstBehind(_ route: Int32, from start: Int, to end: Int) -> Int {
        var low = start
        var high = end
        while low < high {
            let middle = (low + high) / 2
            if members[middle] <= route { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension UnsafeMutablePointer {
    /// A buffer of its own with the array's elements; never empty, so that it can always be freed.
    static func copy(of array: [Pointee]) -> UnsafeMutablePointer<Pointee> {
        let room = UnsafeMutablePointer<Pointee>.allocate(capacity: Swift.max(array.count, 1))
        for (index, element) in array.enumerated() { (room + index).initialize(to: element) }
        return room
    }
}

/// What a route can be filed under.
enum RouteKey: Hashable {
    case exactPath(String, folded: Bool)
    case prefix(String, folded: Bool)
    case header(String, String)
    case authority(String)
    case query(String, String)
    /// A few bytes, lower-case, that are part of whatever a regex matches.
    case gram(GramSubject, String)

    /// What a regex that is filed under grams looks at.
    enum GramSubject: Hashable {
        case path
        case authority
        case header(String)
    }

    static let headerSeed: UInt64 = 1
    static let authoritySeed: UInt64 = 2
    static let querySeed: UInt64 = 3
    @inline(__always)
    static func exactPathSeed(folded: Bool) -> UInt64 { folded ? 4 : 5 }
    @inline(__always)
    static func prefixSeed(folded: Bool) -> UInt64 { folded ? 6 : 7 }

    /// The keys a condition offers that a lookup can compute from the request: any one of them will do.
    static func offers(of condition: MatchCondition) -> [RouteKey] {
        guard !condition.negated else { return [] }
        let folded = condition.ignoresCase
        switch (condition.subject, condition.pattern) {
        case (.path, .exact(let text)): return [.exactPath(folded ? text.asciiLowercased : text, folded: folded)]
        case (.path, .prefix(let text)) where !text.isEmpty:
            return [.prefix(folded ? text.asciiLowercased : text, folded: folded)]
        case (.header(let name), .exact(let text)) where !folded: return [.header(name, text)]
        case (.authority, .exact(let text)) where !folded: return [.authority(text)]
        case (.query(let name), .exact(let text)) where !folded: return [.query(name, text)]
        case (let subject, .regex(let regex)): return GramSubject(subject).map { Gram.keys(of: regex, in: $0) } ?? []
        default: return []
        }
    }

    /// Among equally rare keys: what is cheaper to look for comes first.
    var rank: Int {
        switch self {
        case .exactPath(_, false): 0
        case .prefix(_, false): 1
        case .authority: 2
        case .header: 3
        case .exactPath(_, true): 4
        case .prefix(_, true): 5
        case .query: 6
        case .gram(_, let text): 7 + Gram.lengths.count - text.utf8.count
        }
    }
}

extension RouteKey.GramSubject {
    init?(_ subject: MatchCondition.Subject) {
        switch subject {
        case .path: self = .path
        case .authority: self = .authority
        case .header(let name): self = .header(name)
        case .method, .scheme, .query: return nil
        }
    }
}

/// Files routes under keys; off the workers, so it may allocate as it likes.
struct RouteIndexBuilder {
    private let routes: [[MatchCondition]]
    private var lists: [UInt64: [Int32]] = [:]
    private var nameHashes: Set<UInt64> = []
    private var placed: [(hash: UInt64, list: RouteIndex.List)] = []

    private(set) var members: [Int32] = []
    private(set) var lengths: [Int32] = []
    private(set) var nameLengths: UInt64 = 0
    private(set) var residual = RouteIndex.List()
    private(set) var plain = RouteIndex.PathKeys()
    private(set) var folded = RouteIndex.PathKeys()
    private(set) var hasQueryKeys = false
    private(set) var hasAuthorityKeys = false
    private(set) var pathGrams = Gram.Lengths()
    private(set) var authorityGrams = Gram.Lengths()
    private(set) var headerGrams = Gram.Lengths()

    init(_ routes: [[MatchCondition]]) {
        self.routes = routes
    }

    var slotCapacity: Int { Self.capacity(for: placed.count) }
    var nameCapacity: Int { Self.capacity(for: nameHashes.count) }

    /// At most half full, so that a probe ends soon.
    private static func capacity(for count: Int) -> Int {
        var capacity = 4
        while capacity < count * 2 { capacity *= 2 }
        return capacity
    }

    mutating func file() {
        let keys = chooseKeys()
        collectLengths(keys)
        var rest: [Int32] = []
        for (route, key) in keys.enumerated() {
            guard let key else {
                rest.append(Int32(route))
                continue
            }
            lists[hash(of: key), default: []].append(Int32(route))
        }
        residual = place(rest)
        for (hash, list) in lists { placed.append((hash, place(list))) }
    }

    /// For each route the key that the fewest routes offer.
    private func chooseKeys() -> [RouteKey?] {
        var popularity: [RouteKey: Int] = [:]
        let offers = routes.map { route in route.flatMap { RouteKey.offers(of: $0) } }
        for offer in offers {
            for key in offer { popularity[key, default: 0] += 1 }
        }
        return offers.map { offer in
            offer.min { (popularity[$0, default: 0], $0.rank) < (popularity[$1, default: 0], $1.rank) }
        }
    }

    private mutating func collectLengths(_ keys: [RouteKey?]) {
        var plainLengths: Set<Int32> = []
        var foldedLengths: Set<Int32> = []
        for case .prefix(let text, let folds)? in keys {
            if folds {
                foldedLengths.insert(Int32(text.utf8.count))
            } else {
                plainLengths.insert(Int32(text.utf8.count))
            }
        }
        plain.lengthCount = Int32(plainLengths.count)
        folded.firstLength = plain.lengthCount
        folded.lengthCount = Int32(foldedLengths.count)
        lengths = plainLengths.sorted() + foldedLengths.sorted()
    }

    private mutating func place(_ list: [Int32]) -> RouteIndex.List {
        defer { members += list }
        return RouteIndex.List(start: Int32(members.count), count: Int32(list.count))
    }

    /// The hash a lookup computes for the same key, step by step.
    private mutating func hash(of key: RouteKey) -> UInt64 {
        switch key {
        case .exactPath(let text, let folds):
            if folds { folded.hasExact = true } else { plain.hasExact = true }
            return Self.hash([text], seed: RouteKey.exactPathSeed(folded: folds))
        case .prefix(let text, let folds):
            return prefixHash(Array(text.utf8), folded: folds)
        case .header(let name, let value):
            fileName(name)
            return Self.hash([name, value], seed: RouteKey.headerSeed)
        case .gram(let subject, let text): return gramHash(subject, text)
        case .authority(let text):
            hasAuthorityKeys = true
            return Self.hash([text], seed: RouteKey.authoritySeed)
        case .query(let name, let value):
            hasQueryKeys = true
            return Self.hash([name, value], seed: RouteKey.querySeed)
        }
    }

    private mutating func fileName(_ name: String) {
        nameHashes.insert(Self.hash([name], seed: RouteKey.headerSeed))
        nameLengths |= 1 << UInt64(name.utf8.count & 63)
    }

    private mutating func gramHash(_ subject: RouteKey.GramSubject, _ text: String) -> UInt64 {
        let length = text.utf8.count
        switch subject {
        case .path:
            pathGrams.insert(length)
            return Gram.hash(text, seed: RouteKey.exactPathSeed(folded: true))
        case .authority:
            authorityGrams.insert(length)
            return Gram.hash(text, seed: RouteKey.authoritySeed)
        case .header(let name):
            fileName(name)
            headerGrams.insert(length)
            return Gram.hash(text, seed: Self.hash([name], seed: RouteKey.headerSeed))
        }
    }

    private static func hash(_ texts: [String], seed: UInt64) -> UInt64 {
        var hash = ByteHash(seed: seed)
        for text in texts {
            Array(text.utf8).withUnsafeBytes { hash.add($0) }
        }
        return hash.value
    }

    private func prefixHash(_ bytes: [UInt8], folded folds: Bool) -> UInt64 {
        let keys = folds ? folded : plain
        var hash = ByteHash(seed: RouteKey.prefixSeed(folded: folds))
        var hashed = 0
        for length in lengths[Int(keys.firstLength)..<Int(keys.firstLength + keys.lengthCount)] {
            guard Int(length) <= bytes.count else { break }
            bytes[hashed..<Int(length)].withUnsafeBytes { hash.add($0) }
            hashed = Int(length)
        }
        return hash.value
    }

    func makeSlots() -> UnsafeMutablePointer<RouteIndex.Slot> {
        let slots = UnsafeMutablePointer<RouteIndex.Slot>.allocate(capacity: slotCapacity)
        slots.initialize(repeating: RouteIndex.Slot(), count: slotCapacity)
        for (hash, list) in placed {
            var position = Int(truncatingIfNeeded: hash) & (slotCapacity - 1)
            while slots[position].hash != 0 { position = (position + 1) & (slotCapacity - 1) }
            slots[position] = RouteIndex.Slot(hash: hash, list: list)
        }
        return slots
    }

    func makeNames() -> UnsafeMutablePointer<UInt64> {
        let names = UnsafeMutablePointer<UInt64>.allocate(capacity: nameCapacity)
        names.initialize(repeating: 0, count: nameCapacity)
        for hash in nameHashes {
            var position = Int(truncatingIfNeeded: hash) & (nameCapacity - 1)
            while names[position] != 0 { position = (position + 1) & (nameCapacity - 1) }
            names[position] = hash
        }
        return names
    }
}

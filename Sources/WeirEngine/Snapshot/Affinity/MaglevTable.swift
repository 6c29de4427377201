/// Maglev: a table of endpoints that a key indexes directly; every endpoint fills slots in an order of its own, in turn.
///
/// The shares are more even than a ring's and a lookup costs one access, at a little more movement when endpoints change. Slots
/// are filled as Envoy fills them (NSDI 2016, "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4), by
/// XXH64 of `ip:port`.
///
/// Trivial; the memory is its `AffinityTable`'s.
struct MaglevTable {
    /// Slots of the largest table Istio accepts.
    static let maxSlots = 5_000_010
    /// Slots where the configuration names no number.
    static let defaultSlots = 65_537

    private let slots: UnsafeMutablePointer<UInt32>
    private let size: UInt64

    /// A size that no table can have is taken as the default.
    init(_ places: [AffinityTable.Place], size wanted: Int) {
        let size = Self.isUsable(size: wanted) ? wanted : Self.defaultSlots
        self.size = UInt64(size)
        slots = .allocate(capacity: size)
        slots.initialize(repeating: 0, count: size)
        var free = FreeSlots(size)
        var walks = places.map { Walk($0.key, size) }
        var turns = MaglevTurns(places.map(\.weight))
        for _ in 0..<size {
            let turn = turns.next()
            let slot = walks[turn].next(free, size)
            free.take(slot)
            slots[slot] = places[turn].index
        }
    }

    func free() { slots.deallocate() }

    /// The place of the endpoint a key belongs to.
    ///
    /// `passing`: the key is turned into another one, which mostly belongs to another endpoint.
    func endpoint(for key: UInt64, passing: Int = 0) -> Int {
        Int(slots[Int((key ^ (0 &- UInt64(passing))) % size)])
    }

    /// Likewise among some endpoints: a key of another, which is negative in `members`, is turned into further keys until one of
    /// them finds a member, so that only the keys of those others move.
    ///
    /// `nil` when the table has none of them.
    func member(for key: UInt64, passing: Int, among members: UnsafePointer<Int32>) -> Int? {
        var slot = (key ^ (0 &- UInt64(passing))) % size
        var further = FastRandom(seed: key)
        for _ in 0..<Self.mostTurns {
            let member = members[Int(slots[Int(slot)])]
            if member >= 0 { return Int(member) }
            slot = further.next() % size
        }
        // The members have few slots: the next one.
        for _ in 0..<size {
            let member = members[Int(slots[Int(slot)])]
            if member >= 0 { return Int(member) }
            slot = slot + 1 < size ? slot + 1 : 0
        }
        return nil
    }

    /// Keys that one is turned into in search of an endpoint.
    static let mostTurns = 32

    /// Walks visit every slot only when the size is prime.
    static func isUsable(size: Int) -> Bool {
        guard size > 1, size <= maxSlots else { return false }
        var divisor = 2
        while divisor * divisor <= size {
            if size % divisor == 0 { return false }
            divisor += 1
        }
        return true
    }
}

/// The order in which one endpoint asks for slots: steps of its own length from a start of its own.
private struct Walk {
    private var slot: Int
    private let step: Int

    init(_ key: String, _ size: Int) {
        var key = key
        (slot, step) = key.withUTF8 { text in
            let bytes = UnsafeRawBufferPointer(text)
            return (
                Int(XXHash64.hash(bytes) % UInt64(size)), Int(XXHash64.hash(bytes, seed: 1) % UInt64(size - 1)) + 1
            )
        }
    }

    /// The next slot of the walk that is free; there must be one.
    mutating func next(_ free: borrowing FreeSlots, _ size: Int) -> Int {
        while true {
            let here = slot
            slot += step
            if slot >= size { slot -= size }
            if free.has(here) { return here }
        }
    }
}

/// One bit a slot: the walks look at slots in no order a cache could follow, and the bits fit into it.
private struct FreeSlots: ~Copyable {
    private let words: UnsafeMutablePointer<UInt64>

    init(_ size: Int) {
        words = .allocate(capacity: size / 64 + 1)
        words.initialize(repeating: .max, count: size / 64 + 1)
    }

    deinit { words.deallocate() }

    func has(_ slot: Int) -> Bool { words[slot / 64] >> UInt64(slot % 64) & 1 == 1 }

    mutating func take(_ slot: Int) { words[slot / 64] &= ~(1 << UInt64(slot % 64)) }
}

/// Whose turn it is: the heaviest endpoints in every round, one of half their weight in every second, and so on.
private struct MaglevTurns {
    private struct Turn {
        var round: UInt64
        let endpoint: Int

        func isBefore(_ other: Turn) -> Bool {
            round != other.round ? round < other.round : endpoint < other.endpoint
        }
    }

    private let weights: [UInt64]
    private let heaviest: UInt64
    private let isUniform: Bool
    private var last = -1
    /// How many turns each endpoint has had, and a heap of the next ones; only where weights differ.
    private var taken: [UInt64] = []
    private var heap: [Turn] = []

    init(_ weights: [UInt32]) {
        self.weights = weights.map { UInt64(max($0, 1)) }
        heaviest = self.weights.max() ?? 1
        isUniform = Set(self.weights).count == 1
        guard !isUniform else { return }
        taken = Array(repeating: 0, count: weights.count)
        heap = weights.indices.map { Turn(round: 1, endpoint: $0) }
    }

    mutating func next() -> Int {
        if isUniform {
            last = last + 1 < weights.count ? last + 1 : 0
            return last
        }
        let endpoint = heap[0].endpoint
        taken[endpoint] += 1
        // No overflow: at most 2^23 slots, weights below 2^32.
        let due = (taken[endpoint] * heaviest + weights[endpoint] - 1) / weights[endpoint]
        // An endpoint has at most one turn a round.
        heap[0].round = max(due, heap[0].round + 1)
        sink()
        return endpoint
    }

    private mutating func sink() {
        let moved = heap[0]
        var place = 0
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(moved) else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = moved
    }
}

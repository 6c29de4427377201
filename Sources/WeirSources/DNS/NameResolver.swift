package import WeirEngine

/// Keeps the addresses of names up to date: asks when they are wanted, again when an answer runs out, and says what changed.
///
/// Control thread only.
package final class NameResolver {
    /// Names looked up; those beyond have no addresses.
    package static let maxNames = 10_000
    /// Lookups under way at a time; further ones wait their turn.
    static let maxLookups = 64
    /// How long changes are gathered before they are told.
    static let gatherSeconds = 0.05
    /// Longest name.
    static let maxNameBytes = 253

    /// Called with the names that changed, never from within `want`.
    package var changed: ([String: NameAnswer]) -> Void = { _ in }

    private let loop: ControlLoop
    private let servers: NameServers
    private let families: [AddressFamily]
    private let pace: Double
    private var wanted: Set<String> = []
    private var entries: [String: NameEntry] = [:]
    /// Wanted, but not looked up, and why.
    private var refused: [String: NameAnswer] = [:]
    private var queue = LookupQueue()
    private var running = 0
    private var isPumping = false
    private var pump: ControlWatch?
    /// Names without any answer yet.
    private var unknown = 0
    /// Not told yet.
    private var news: [String: NameAnswer] = [:]
    private var telling: ControlWatch?
    private var isStopped = false
    private var random = SystemRandomNumberGenerator()
    /// For metrics; any thread.
    package let counts = Guarded(NameStatistics())

    package init(loop: ControlLoop, options: NameResolverOptions = NameResolverOptions()) {
        self.loop = loop
        servers = NameServers(loop: loop, options: options)
        families = options.families ?? AddressFamily.ofThisMachine()
        pace = options.pace
    }

    /// Looks these names up from now on, and no others.
    package func want(_ names: Set<String>) {
        guard names != wanted, !isStopped else { return }
        wanted = names
        for entry in entries.values where !names.contains(entry.name) { drop(entry) }
        let former = refused
        refused = [:]
        for name in names.sorted() where entries[name] == nil { add(name, former[name]) }
        updateCounts()
        startLookups()
        if !news.isEmpty { tellSoon(after: 0) }
    }

    /// Whether something was told of a wanted name.
    package func hasTold(of name: String) -> Bool {
        (entries[name]?.answer ?? refused[name]) != nil && news[name] == nil
    }

    /// Nothing is called afterwards.
    package func stop() {
        isStopped = true
        for entry in entries.values { entry.leave() }
        entries = [:]
        telling?.cancel()
        pump?.cancel()
        servers.close()
        changed = { _ in }
    }

    // MARK: Names

    private func add(_ name: String, _ formerRefusal: NameAnswer?) {
        if let problem = Self.refusal(of: name) ?? (entries.count < Self.maxNames ? nil : Self.tooMany) {
            let answer = NameAnswer(problem: problem)
            refused[name] = answer
            if formerRefusal != answer { news[name] = answer }
            return
        }
        let entry = NameEntry(name: name, families: families)
        entries[name] = entry
        unknown += 1
        for place in entry.questions.indices { queue.append(entry, place) }
    }

    private func drop(_ entry: NameEntry) {
        entry.leave()
        entries[entry.name] = nil
        news[entry.name] = nil
        if entry.answer == nil { unknown -= 1 }
    }

    private static var tooMany: String { "more than \(maxNames) names are in use, and this one is not looked up" }

    private static func refusal(of name: String) -> String? {
        guard (1...maxNameBytes).contains(name.utf8.count), name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return "this cannot be a domain name"
        }
        return nil
    }

    // MARK: Lookups

    /// Starts what may run.
    ///
    /// A lookup may end before it returns (/etc/hosts), so only so many are begun at one time.
    private func startLookups() {
        guard !isPumping, !isStopped else { return }
        isPumping = true
        defer { isPumping = false }
        for _ in 0..<Self.maxLookups {
            guard running < Self.maxLookups, let (entry, place) = queue.next() else { return }
            running += 1
            servers.lookUp(entry.name, families[place]) { [unowned self] result in answered(entry, place, result) }
        }
        pump = loop.schedule(after: 0) { [unowned self] in startLookups() }
    }

    private func answered(_ entry: NameEntry, _ place: Int, _ result: LookupResult) {
        running -= 1
        guard !isStopped else { return }
        counts.withLock { $0.count(result) }
        if entry.isWanted {
            let spread = Double.random(in: 0..<1, using: &random)
            let wait = entry.questions[place].take(result, at: SystemClock.now, spread: spread)
            entry.timers[place] = loop.schedule(after: wait * pace) { [unowned self] in
                queue.append(entry, place)
                startLookups()
            }
            took(NameAnswer(entry.questions), of: entry)
        }
        startLookups()
    }

    private func took(_ answer: NameAnswer?, of entry: NameEntry) {
        guard let answer, answer != entry.answer else { return }
        if entry.answer == nil { unknown -= 1 }
        entry.answer = answer
        news[entry.name] = answer
        // Nothing more is coming that could be told with it.
        tellSoon(after: unknown == 0 && running == 0 ? 0 : Self.gatherSeconds)
    }

    // MARK: Telling

    private func tellSoon(after seconds: Double) {
        // What is due at once does not wait for what is being gathered.
        guard telling == nil || seconds == 0 else { return }
        telling?.cancel()
        telling = loop.schedule(after: seconds) { [unowned self] in tell() }
    }

    /// Tells now what changed.
    package func tell() {
        telling?.cancel()
        telling = nil
        updateCounts()
        let told = news
        news = [:]
        if !told.isEmpty { changed(told) }
    }

    private func updateCounts() {
        let answers = entries.values.compactMap(\.answer)
        counts.withLock {
            $0.names = entries.count + refused.count
            $0.resolved = answers.count { !$0.addresses.isEmpty && $0.problem == nil }
            $0.stale = answers.count { !$0.addresses.isEmpty && $0.problem != nil }
        }
    }
}

/// One name that is wanted.
final class NameEntry {
    let name: String
    /// One a family.
    var questions: [NameQuestion]
    /// Until each is asked again.
    var timers: [ControlWatch?]
    /// What was last told or is about to be.
    var answer: NameAnswer?
    private(set) var isWanted = true

    init(name: String, families: [AddressFamily]) {
        self.name = name
        questions = Array(repeating: NameQuestion(), count: families.count)
        timers = Array(repeating: nil, count: families.count)
    }

    /// Nobody wants it any more; what is under way is not taken.
    func leave() {
        isWanted = false
        for timer in timers { timer?.cancel() }
        timers = timers.map { _ in nil }
    }
}

/// Questions that wait for their turn, in order.
struct LookupQueue {
    private var items: [(entry: NameEntry, place: Int)] = []
    private var head = 0

    mutating func append(_ entry: NameEntry, _ place: Int) { items.append((entry, place)) }

    /// The next one that is still wanted.
    mutating func next() -> (entry: NameEntry, place: Int)? {
        defer {
            // Moved together when half of it is past: a constant cost a question.
            if head * 2 > items.count {
                items.removeFirst(head)
                head = 0
            }
        }
        while head < items.count {
            let item = items[head]
            head += 1
            if item.entry.isWanted { return item }
        }
        return nil
    }
}

/// What became of the names, for metrics.
package struct NameStatistics: Sendable, Hashable {
    /// Wanted at present.
    package var names = 0
    /// With addresses that are up to date.
    package var resolved = 0
    /// With addresses of an earlier answer, because lookups fail.
    package var stale = 0
    /// Lookups that found addresses.
    package var found = 0
    /// Lookups that were told there are none.
    package var none = 0
    /// Lookups that were not answered usably.
    package var failed = 0
    /// When a name server last answered, in seconds since 1970.
    package var lastAnswerSeconds: Double?

    package init() {}

    mutating func count(_ result: LookupResult) {
        switch result {
        case .addresses: found += 1
        case .none: none += 1
        case .failed:
            failed += 1
            return
        }
        lastAnswerSeconds = SystemClock.unix
    }
}

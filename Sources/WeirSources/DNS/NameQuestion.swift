import WeirEngine

/// What is known of one name in one family, and when to ask again.
///
/// An answer without addresses takes the former ones away; a failure does not (semantics 5.3).
struct NameQuestion {
    /// Shortest time between two lookups that both find addresses.
    static let minTTLSeconds = 1.0
    /// Longest time, whatever the server says.
    static let maxTTLSeconds = 3600.0
    /// The time where the server says 0 or, as /etc/hosts, nothing.
    static let absentTTLSeconds = 5.0
    /// First pause after a lookup that found none; it doubles with each further one.
    static let firstRetrySeconds = 1.0
    /// Longest such pause.
    static let maxRetrySeconds = 60.0

    enum Outcome: Equatable {
        /// Nothing came back yet.
        case unknown
        case found
        case none(String)
        case failed(String)
    }

    private(set) var outcome = Outcome.unknown
    /// In the server's order.
    private(set) var addresses: [EndpointTarget] = []
    /// The first address of the last answer that had any.
    private(set) var first: EndpointTarget?
    /// Lookups in a row that found no address.
    private(set) var misses = 0
    /// When an answer came last, with addresses or without.
    private(set) var answeredAt: Double?

    /// Takes in what a lookup gave; returns the seconds to wait until the next.
    ///
    /// `spread` in 0..<1 keeps names that failed together from being asked for together.
    mutating func take(_ result: LookupResult, at now: Double, spread: Double) -> Double {
        switch result {
        case .addresses(let found, let ttl):
            outcome = .found
            addresses = found
            first = found.first
            misses = 0
            answeredAt = now
            return ttl == 0 ? Self.absentTTLSeconds : min(max(Double(ttl), Self.minTTLSeconds), Self.maxTTLSeconds)
        case .none(let reason):
            outcome = .none(reason)
            addresses = []
            answeredAt = now
        case .failed(let reason):
            outcome = .failed(reason)
        }
        misses += 1
        return Self.pause(afterMisses: misses, spread: spread)
    }

    /// Doubling, between the half and the whole.
    static func pause(afterMisses misses: Int, spread: Double) -> Double {
        var pause = firstRetrySeconds
        for _ in 1..<max(misses, 1) {
            guard pause < maxRetrySeconds else { break }
            pause *= 2
        }
        return min(pause, maxRetrySeconds) * (0.5 + spread / 2)
    }
}

extension NameAnswer {
    /// Failures in a row that are kept quiet about while earlier addresses serve.
    static let quietMisses = 2

    /// What the families together say; `nil` while none has answered with addresses and one has not answered at all.
    init?(_ questions: [NameQuestion]) {
        let addresses = questions.flatMap(\.addresses)
        if addresses.isEmpty, questions.contains(where: { $0.outcome == .unknown }) { return nil }
        self.init(addresses: addresses.sorted(), first: addresses.first ?? questions.lazy.compactMap(\.first).first)
        problem = Self.problem(questions, hasAddresses: !addresses.isEmpty)
    }

    private static func problem(_ questions: [NameQuestion], hasAddresses: Bool) -> String? {
        // A name may well have addresses of one family alone.
        if questions.contains(where: { $0.outcome == .found }) { return nil }
        if hasAddresses, questions.allSatisfy({ $0.misses <= quietMisses }) { return nil }
        // What failed may yet be mended, so it is what matters.
        for question in questions { if case .failed(let reason) = question.outcome { return reason } }
        for question in questions { if case .none(let reason) = question.outcome { return reason } }
        return nil
    }
}

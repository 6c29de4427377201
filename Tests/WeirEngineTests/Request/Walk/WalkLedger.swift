/// What a walk has seen go wrong, and how often it has been where.
final class WalkLedger {
    private(set) var violations: [String] = []
    private(set) var counts: [String: Int] = [:]
    /// The steps of the walk under way, for the report of a violation.
    private var steps: [String] = []

    func began(_ walk: Int) { steps = ["walk \(walk)"] }
    func stepped(_ step: String) { steps.append(step) }
    func count(_ branch: String) { counts[branch, default: 0] += 1 }

    func expect(_ holds: Bool, _ rule: @autoclosure () -> String) {
        // One broken rule brings others with it: the first ones tell enough.
        guard !holds, violations.count < 5 else { return }
        violations.append("\(rule()), after: \(steps.suffix(40).joined(separator: " "))")
    }
}

/// Something an exchange never does, done between it and a peer, so that it shows whether a walk would notice.
enum WalkFault: CaseIterable {
    case answersTwice
    case endsTwice
    case bodyBehindEnd
    case losesEnd
    case losesCancel
    case losesBody
    case repeatsBody
}

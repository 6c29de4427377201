/// The observed split as text.
///
/// Pure.
enum SplitChart {
    /// Columns of a bar that stands for 100 %.
    static let barColumns = 40

    /// One line a version: a bar, its share and its count.
    static func bars(_ tally: TrafficTally) -> [String] {
        ReviewsVersion.all.indices.map { index in
            let share = tally.share(index)
            let filled = Int((share / 100 * Double(barColumns)).rounded())
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: barColumns - filled)
            return "  \(label(index)) \(bar) \(right(percent(share), 7)) \(right("\(tally.counts[index])", 6))"
        }
    }

    /// The final table: counts, observed and configured percent, time and failures.
    static func table(_ tally: TrafficTally) -> [String] {
        let head =
            "  \(left("version", 16)) \(right("requests", 9)) \(right("observed", 10)) \(right("configured", 11))"
        let rows = ReviewsVersion.all.indices.map { index in
            let weight = ReviewsVersion.all[index].weight
            return "  \(label(index)) \(right("\(tally.counts[index])", 9)) \(right(percent(tally.share(index)), 10)) "
                + right("\(weight) %", 11)
        }
        let milliseconds = Int((tally.seconds * 1000).rounded())
        return [head] + rows + ["  \(tally.sent) requests in \(milliseconds) ms, \(tally.failures) failed"]
    }

    private static func label(_ index: Int) -> String {
        let version = ReviewsVersion.all[index]
        return left("\(version.name) \(version.about)", 16)
    }

    private static func percent(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

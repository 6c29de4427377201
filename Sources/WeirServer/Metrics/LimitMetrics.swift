import WeirEngine

/// What is used of clusters' limits, for clusters that have any.
struct LimitMetrics {
    private let clusters: [(name: String, uses: [LimitUse])]

    init(_ snapshot: Snapshot?) {
        clusters = snapshot?.clusters.compactMap { plan in plan.limitUses.map { (plan.spec.name, $0) } } ?? []
    }

    func write(into text: inout MetricText) {
        guard !clusters.isEmpty else { return }
        text.family("weir_cluster_limit", .gauge, "The most there may be of something, over all workers.")
        writeEach(&text) { use in use.limit.map { ("weir_cluster_limit", Double($0)) } }
        text.family("weir_cluster_limit_used", .gauge, "How much of it there is.")
        writeEach(&text) { use in use.limit == nil ? nil : ("weir_cluster_limit_used", Double(use.used)) }
        text.family(
            "weir_cluster_limit_overflows_total", .counter,
            "Requests that a limit has kept waiting (connections), or refused (all others).")
        writeEach(&text) { use in
            use.limit == nil && use.overflows == 0 ? nil : ("weir_cluster_limit_overflows_total", Double(use.overflows))
        }
    }

    private func writeEach(_ text: inout MetricText, _ sample: (LimitUse) -> (name: StaticString, value: Double)?) {
        for (name, uses) in clusters {
            for use in uses {
                guard let sample = sample(use) else { continue }
                text.sample(sample.name, [("cluster", name), ("limit", use.name)], sample.value)
            }
        }
    }
}

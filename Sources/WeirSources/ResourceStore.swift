package import WeirConfig
package import WeirEngine

/// What the sources have together: ready to be compiled.
package struct Delivery: Sendable {
    package var resources: ResourceSet
    package var diagnostics: [Diagnostic]
    package var files: [FileSummary]

    package init(resources: ResourceSet, diagnostics: [Diagnostic], files: [FileSummary]) {
        self.resources = resources
        self.diagnostics = diagnostics
        self.files = files
    }

    /// Documents that exist, good or bad.
    package var documentCount: Int { files.reduce(0) { $0 + $1.documents } }
}

/// Merges the sources, waits for a burst of changes to end, delivers what they have then.
///
/// Control thread only.
package final class ResourceStore {
    private let loop: ControlLoop
    private let sources: [any ConfigSource]
    private var deliver: (Delivery) -> Void = { _ in }
    private var burst = ChangeBurst()
    private var timer: ControlWatch?
    /// What was delivered last.
    private var resources = ResourceSet([])

    package init(loop: ControlLoop, sources: [any ConfigSource]) {
        self.loop = loop
        self.sources = sources
    }

    /// Delivers what there is before it returns, without waiting for anything; later whenever something changed.
    package func start(deliver: @escaping (Delivery) -> Void) {
        self.deliver = deliver
        for source in sources { source.start { [unowned self] in changed() } }
        deliver(merged())
    }

    /// Looks at everything now.
    ///
    /// Delivers only if something is different; says whether it is.
    @discardableResult
    package func reload() -> Bool {
        for source in sources { source.distrust() }
        return refresh()
    }

    /// Nothing is delivered afterwards.
    package func stop() {
        endBurst()
        for source in sources { source.stop() }
        deliver = { _ in }
    }

    // MARK: Bursts

    private func changed() {
        let delay = burst.delay(atChange: SystemClock.now)
        timer?.cancel()
        timer = loop.schedule(after: delay) { [unowned self] in _ = refresh() }
    }

    private func endBurst() {
        timer?.cancel()
        timer = nil
        burst = ChangeBurst()
    }

    private func refresh() -> Bool {
        endBurst()
        var isDifferent = false
        for source in sources where source.refresh() { isDifferent = true }
        if isDifferent { deliver(merged()) }
        return isDifferent
    }

    // MARK: Merging

    private func merged() -> Delivery {
        let delivery = Delivery(sources.map(\.contents), after: resources)
        resources = delivery.resources
        return delivery
    }
}

extension Delivery {
    /// What sources have together.
    ///
    /// Cheap when it is little else than `former`.
    package init(_ contents: [SourceContents], after former: ResourceSet = ResourceSet([])) {
        // With one source, which is the rule, nothing is copied.
        let all = contents.count == 1 ? contents[0].resources : contents.flatMap(\.resources)
        let resources = ResourceSet(all, after: former)
        var diagnostics = contents.flatMap(\.diagnostics)
        diagnostics += Self.reports(ofUnknown: contents.flatMap(\.unknownKinds))
        diagnostics += resources.duplicates.map { duplicate in
            Self.report(duplicate, first: resources[duplicate.id]?.location)
        }
        self.init(resources: resources, diagnostics: diagnostics, files: contents.flatMap(\.files))
    }

    /// One warning a kind, however many documents and files have it.
    private static func reports(ofUnknown kinds: [UnknownKind]) -> [Diagnostic] {
        var merged: [UnknownKind] = []
        var places: [String: Int] = [:]
        for kind in kinds {
            if let place = places[kind.kind] {
                merged[place].count += kind.count
            } else {
                places[kind.kind] = merged.count
                merged.append(kind)
            }
        }
        return merged.map { kind in
            let others = kind.count == 1 ? "" : " (and \(kind.count - 1) more)"
            return Diagnostic(
                .unknownKind, .warning, path: "kind", location: kind.location,
                message: "Kind \"\(kind.kind)\" is not one Weir reads; this document\(others) is skipped.")
        }
    }

    private static func report(_ duplicate: Resource, first: SourceLocation?) -> Diagnostic {
        let place = first.map { " at \($0.file):\($0.line)" } ?? ""
        return Diagnostic(
            .duplicateResource, .warning, resource: duplicate.id, path: "metadata.name", location: duplicate.location,
            message: "\(duplicate.id) is defined\(place) already; that one counts. Remove or rename one of the two.")
    }
}

/// How long to wait for more changes: until it has been quiet for a moment, but never for long.
struct ChangeBurst {
    /// Seconds without a change that end a burst.
    ///
    /// Long enough for a tool that writes several files one after the other.
    static let quietSeconds = 0.005
    /// Seconds after the first change when waiting ends in any case.
    static let limitSeconds = 0.2

    private var firstChange: Double?

    /// Seconds to wait from `now`, the moment of a change.
    mutating func delay(atChange now: Double) -> Double {
        let first = firstChange ?? now
        firstChange = first
        return max(0, min(Self.quietSeconds, first + Self.limitSeconds - now))
    }
}

import WeirConfig

/// What a rule's destination refers to, whatever port it ends at.
struct Reference: Hashable {
    /// Full name.
    let host: String
    /// From where: several may declare one of the host.
    let namespace: String
    let subset: String?
    /// Only when the destination names one.
    let port: Int?
}

extension RoutedService {
    /// All that requests depend on; a copy that finds no service is dropped, and nobody misses it.
    func references(_ options: CompilerOptions) -> Set<Reference> {
        Set(uses.lazy.filter(\.isNeeded).map { self.reference($0, options) })
    }

    fileprivate func reference(_ use: Use, _ options: CompilerOptions) -> Reference {
        let (destination, namespace) = (use.destination, use.resource.id.namespace)
        return Reference(
            host: options.qualified(destination.host, namespace: namespace), namespace: namespace,
            subset: destination.subset.flatMap { $0.isEmpty ? nil : $0 }, port: destination.port)
    }
}

/// Updates of VirtualServices that name what nobody has declared yet: the edition before serves until it appears, or the
/// grace is over.
///
/// Tools write a VirtualService and its DestinationRule one after the other, in either order.
struct ReferenceGrace {
    private struct Waiting {
        let edition: RoutedService
        let missing: Set<Reference>
        let deadline: Double
    }

    private let options: CompilerOptions
    private var waiting: [ResourceID: Waiting] = [:]

    init(options: CompilerOptions) {
        self.options = options
    }

    /// When the first wait ends.
    var nextDeadline: Double? { waiting.values.map(\.deadline).min() }

    var isEmpty: Bool { waiting.isEmpty }

    /// The edition that waits for its turn.
    func edition(of id: ResourceID) -> RoutedService? { waiting[id]?.edition }

    /// Whether `newer` has to wait, and the edition that serves stays.
    mutating func holds(
        _ newer: RoutedService, after serving: RoutedService?, _ clusters: ClusterCompiler, at now: Double
    ) -> Bool {
        let id = newer.resource.id
        let before = waiting.removeValue(forKey: id)
        // A delegate serves nothing: those that delegate to it wait.
        guard options.referenceGraceSeconds > 0, !newer.isDelegate, let serving else { return false }
        let missing = newer.references(options).subtracting(serving.references(options)).filter(clusters.isMissing)
        guard !missing.isEmpty else { return false }
        // Another edit while waiting for the same things gains no time.
        let deadline = before.flatMap { missing.isSubset(of: $0.missing) ? $0.deadline : nil }
        let wait = Waiting(
            edition: newer, missing: missing, deadline: deadline ?? now + options.referenceGraceSeconds)
        guard now < wait.deadline else { return false }
        waiting[id] = wait
        return true
    }

    /// The editions that wait no longer.
    mutating func released(_ clusters: ClusterCompiler, at now: Double) -> [RoutedService] {
        let free = waiting.values.filter { now >= $0.deadline || !$0.missing.contains(where: clusters.isMissing) }
        for wait in free { waiting[wait.edition.resource.id] = nil }
        return free.map(\.edition)
    }

    /// Forgets what waits for VirtualServices that are gone.
    mutating func keep(where exists: (ResourceID) -> Bool) {
        waiting = waiting.filter { exists($0.key) }
    }

    /// What there is to tell while an edition waits.
    func finding(of id: ResourceID) -> Diagnostic? {
        guard let wait = waiting[id] else { return nil }
        let edition = wait.edition
        guard let use = edition.uses.first(where: { wait.missing.contains(edition.reference($0, options)) }) else {
            return nil
        }
        let names = wait.missing.map(Self.text).sorted().joined(separator: ", ")
        return Diagnostic(
            .waitingForReference, .warning, resource: use.resource.id, path: use.path,
            location: use.resource.location(line: use.line),
            message:
                "This edition of \(id) names what is not declared yet (\(names)); the edition before serves until it is, "
                + "for \(Self.seconds(options.referenceGraceSeconds)) at most. Declare it, or correct the destination.")
    }

    private static func text(_ reference: Reference) -> String {
        let port = reference.port.map { ":\($0)" } ?? ""
        return reference.subset.map { "subset \($0) of \(reference.host)\(port)" } ?? "service \(reference.host)\(port)"
    }

    private static func seconds(_ seconds: Double) -> String {
        seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }
}

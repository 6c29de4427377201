import WeirConfig

/// One rule of a VirtualService, its own or one it takes from a delegate.
struct RoutedRule {
    /// A delegate's rule has what it takes over from the root's.
    var http: HTTPRoute
    /// Who wrote it: short names of its destinations belong to that namespace.
    let resource: Resource
    /// Where it is written in that resource.
    let path: String
    /// Who delegates to `resource`, where that is so.
    var root: ResourceID?

    var namespace: String { resource.id.namespace }
}

/// What a root VirtualService takes from others.
struct Delegation {
    /// A VirtualService that rules delegate to, as it was when they were resolved; `nil` when there is none.
    struct Source {
        let id: ResourceID
        let resource: Resource?
    }

    /// Matches are multiplied, those of the rule that delegates by those of the delegate's rules: pairs of one VirtualService.
    static let pairLimit = 100_000

    private(set) var rules: [RoutedRule] = []
    private(set) var sources: [Source] = []
    private(set) var diagnostics: [Diagnostic] = []
    private var pairs = 0

    /// Puts the rules of delegates in the places of those that name them; `find` knows the VirtualServices.
    init(_ service: VirtualService, _ resource: Resource, _ options: CompilerOptions, find: (ResourceID) -> Resource?) {
        for (index, http) in service.http.enumerated() {
            let rule = RoutedRule(http: http, resource: resource, path: "spec.http[\(index)]")
            guard let delegate = http.delegate else {
                rules.append(rule)
                continue
            }
            let namespace = delegate.namespace.flatMap { $0.isEmpty ? nil : $0 } ?? resource.id.namespace
            let id = ResourceID(kind: .virtualService, namespace: namespace, name: delegate.name)
            let source = Source(id: id, resource: find(id))
            sources.append(source)
            add(source, for: rule.qualified(options))
        }
    }

    private mutating func add(_ source: Source, for root: RoutedRule) {
        guard let delegate = source.resource, case .virtualService(let service) = delegate.spec else {
            report(
                root, .referenceNotFound,
                "There is no VirtualService \(source.id.namespace)/\(source.id.name) to delegate to, so the rule is left out "
                    + "and its requests go to the rules behind it. Create it without hosts, or correct the name.")
            return
        }
        guard service.hosts.isEmpty else {
            report(
                root, .referenceNotFound,
                "VirtualService \(source.id.namespace)/\(source.id.name) has hosts of its own, so it is no delegate: the rule "
                    + "is left out and its requests go to the rules behind it. Remove its hosts and gateways.")
            return
        }
        guard ExportList.isVisible(service.exportTo, of: source.id.namespace, from: root.namespace) else {
            report(
                root, .referenceNotFound,
                "VirtualService \(source.id.namespace)/\(source.id.name) is not exported to namespace \(root.namespace), so "
                    + "the rule is left out and its requests go to the rules behind it. Add the namespace to its exportTo."
            )
            return
        }
        for (index, http) in service.http.enumerated() where http.delegate == nil {
            pairs += max(root.http.match.count, 1) * max(http.match.count, 1)
            guard pairs <= Self.pairLimit else {
                report(
                    root, .schemaValidation,
                    "What this VirtualService delegates has more than \(Self.pairLimit) pairs of a match here and a match "
                        + "there, so VirtualService \(source.id.namespace)/\(source.id.name) is left out from its rule "
                        + "\(index) on. Delegate fewer rules, or with fewer matches.")
                return
            }
            let leaf = RoutedRule(http: http, resource: delegate, path: "spec.http[\(index)]")
            if var merged = DelegateMerge.rule(root: root, leaf: leaf.withFullGateways) {
                merged.root = root.resource.id
                rules.append(merged)
            } else {
                reportConflict(leaf, root)
            }
        }
    }

    private mutating func report(_ root: RoutedRule, _ code: DiagnosticCode, _ message: String) {
        diagnostics.append(
            Diagnostic(
                code, .warning, resource: root.resource.id, path: root.path + ".delegate",
                location: root.resource.location(line: root.http.line), message: message))
    }

    private mutating func reportConflict(_ leaf: RoutedRule, _ root: RoutedRule) {
        let place = root.resource.location(line: root.http.line)
        diagnostics.append(
            Diagnostic(
                .unreachableRule, .warning, resource: leaf.resource.id, path: leaf.path + ".match",
                location: leaf.resource.location(line: leaf.http.line),
                message:
                    "The rule that delegates here (\(root.resource.id) \(root.path), \(place.file):\(place.line)) lets none "
                    + "of the requests through that an entry of this match asks for, so this rule is left out. Make each "
                    + "entry narrower than one of the delegating rule's."))
    }
}

extension RoutedRule {
    /// With the names of Gateways written out.
    fileprivate var withFullGateways: RoutedRule {
        var rule = self
        for index in http.match.indices {
            rule.http.match[index].gateways = http.match[index].gateways.map {
                GatewayName.full($0, namespace: namespace)
            }
        }
        return rule
    }

    /// With every name written out that would mean something else in another namespace.
    fileprivate func qualified(_ options: CompilerOptions) -> RoutedRule {
        var rule = withFullGateways
        if let mirror = http.mirror {
            rule.http.mirror?.host = options.qualified(mirror.host, namespace: namespace)
        }
        for index in http.mirrors.indices {
            let host = http.mirrors[index].destination.host
            rule.http.mirrors[index].destination.host = options.qualified(host, namespace: namespace)
        }
        return rule
    }
}

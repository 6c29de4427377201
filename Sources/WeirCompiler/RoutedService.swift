import WeirConfig

/// One VirtualService as of one revision, with everything derived from it: lives as long as the revision does.
///
/// What depends on more than the resource carries the version of what it was made from.
final class RoutedService {
    /// Domains it serves through one server.
    struct Bound {
        let server: Int
        let domains: [String]
    }
    /// A destination, and where it is written.
    struct Use {
        let destination: Destination
        /// Who wrote it: a short host belongs to that namespace.
        let resource: Resource
        /// Of the destination, in that resource.
        let path: String
        let line: Int
        let role: Role

        /// What becomes of requests depends on it.
        var isNeeded: Bool { role == .requests || role == .connections }
    }

    /// What gets to a destination.
    enum Role {
        case requests
        /// Of a `tcp` or `tls` route.
        case connections
        /// Of requests that go elsewhere.
        case copies
        /// A weight of 0 among several destinations means never.
        case nothing
    }

    /// Who may see it; narrower comes first where several serve one host (semantics 3.1).
    enum ExportRank: Int {
        case gatewayNamespaceOnly
        case namedNamespaces
        case everywhere
        /// Not exported to the gateway.
        case hidden

        static let served: [ExportRank] = [.gatewayNamespaceOnly, .namedNamespaces, .everywhere]
    }

    /// Never given to another object: stands for this revision in keys.
    let serial: UInt64
    let resource: Resource
    let service: VirtualService
    /// Its rules, with those of delegates in their places.
    let rules: [RoutedRule]
    /// The VirtualServices it delegates to.
    let delegates: [Delegation.Source]
    /// `namespace/name` of the Gateways named, in order, without `mesh`.
    let gateways: [(index: Int, name: String)]
    /// Meant for callers inside the mesh.
    let isForMesh: Bool
    /// Full names, lower-case.
    let hosts: [String]
    let uses: [Use]
    let exportRank: ExportRank
    /// Problems that lie in the resource alone.
    private(set) var ownDiagnostics: [Diagnostic] = []
    /// Patterns found malformed while routes were made, by path.
    private(set) var patternDiagnostics: [String: Diagnostic] = [:]

    private var layoutVersion = -1
    private(set) var bound: [Bound] = []
    private(set) var bindingDiagnostics: [Diagnostic] = []

    /// Its shares in virtual hosts.
    var slots: [ListenerState.Slot] = []
    /// Where callers inside the mesh reach it.
    private(set) var meshEntrances: [Entrance] = []
    /// Hosts that callers inside the mesh find elsewhere.
    var meshConflicts: [MeshLayout.Conflict] = []
    var destinationFindings = DestinationFindings()
    /// Routes by binding.
    var routes: [Int: TranslatedRoutes] = [:]
    /// The virtual host this service makes up alone, by binding: most hosts have one VirtualService.
    var soleHosts: [Int: CompiledHost] = [:]

    /// `find` knows the VirtualServices that rules may delegate to.
    init(
        _ resource: Resource, _ service: VirtualService, serial: UInt64, options: CompilerOptions,
        find: (ResourceID) -> Resource?
    ) {
        self.serial = serial
        self.resource = resource
        self.service = service
        let namespace = resource.id.namespace
        gateways = service.gateways.enumerated().compactMap { index, written in
            written == GatewayName.mesh ? nil : (index, GatewayName.full(written, namespace: namespace))
        }
        isForMesh = !service.hosts.isEmpty && (service.gateways.isEmpty || gateways.count < service.gateways.count)
        hosts = service.hosts.map { Self.domain($0, namespace: namespace, options) }
        let delegation = Delegation(service, resource, options, find: find)
        rules = delegation.rules
        delegates = delegation.sources
        uses = delegation.rules.flatMap { Self.uses($0) } + Self.streamUses(service, resource)
        exportRank = Self.rank(service.exportTo, namespace, options)
        ownDiagnostics = UnsafeRetries.problem(of: resource) + findOwnProblems(options) + delegation.diagnostics
    }

    private static func uses(_ rule: RoutedRule) -> [Use] {
        let http = rule.http
        let routed = http.route.enumerated().map { index, entry in
            Use(
                destination: entry.destination, resource: rule.resource,
                path: "\(rule.path).route[\(index)].destination", line: entry.line,
                role: http.route.count == 1 || (entry.weight ?? 0) > 0 ? .requests : .nothing)
        }
        guard !routed.isEmpty else { return routed }
        return routed
            + http.mirroring.map { mirror in
                Use(
                    destination: mirror.destination, resource: rule.resource, path: "\(rule.path).\(mirror.path)",
                    line: mirror.line, role: .copies)
            }
    }

    private static func streamUses(_ service: VirtualService, _ resource: Resource) -> [Use] {
        let tls = service.tls.enumerated().map { ("spec.tls[\($0)]", $1.route) }
        let tcp = service.tcp.enumerated().map { ("spec.tcp[\($0)]", $1.route) }
        return (tls + tcp).flatMap { path, route in
            route.enumerated().map { index, entry in
                Use(
                    destination: entry.destination, resource: resource, path: "\(path).route[\(index)].destination",
                    line: entry.line, role: route.count == 1 || (entry.weight ?? 0) > 0 ? .connections : .nothing)
            }
        }
    }

    private static func rank(_ exportTo: [String], _ namespace: String, _ options: CompilerOptions) -> ExportRank {
        if !options.isVisible(exportTo: exportTo, namespace: namespace) { return .hidden }
        if exportTo.isEmpty || exportTo.contains("*") { return .everywhere }
        // Its own namespace by name is what `.` says; who else sees it makes no difference here.
        return namespace == options.gatewayNamespace ? .gatewayNamespaceOnly : .namedNamespaces
    }

    var namespace: String { resource.id.namespace }

    /// Whether it has the place of `other` in every virtual host, if both are of one name and age.
    func servesAs(_ other: RoutedService) -> Bool {
        hosts == other.hosts && gateways.map(\.name) == other.gateways.map(\.name) && exportRank == other.exportRank
            && isForMesh == other.isForMesh
    }

    /// A delegate: reached through another VirtualService alone, so it binds nowhere itself.
    var isDelegate: Bool { service.hosts.isEmpty }

    /// IPv6 addresses stand in brackets, as in a Host header.
    private static func domain(_ host: String, namespace: String, _ options: CompilerOptions) -> String {
        let name = options.qualified(host, namespace: namespace)
        return name.contains(":") && !name.hasPrefix("[") ? "[\(name)]" : name
    }

    private func report(
        _ code: DiagnosticCode, path: String, _ message: String
    ) -> Diagnostic {
        Diagnostic(
            code, .warning, resource: resource.id, path: path, location: resource.location, message: message)
    }

    private func report(
        _ code: DiagnosticCode, _ rule: RoutedRule, path: String, line: Int, _ message: String
    )
        -> Diagnostic
    {
        Diagnostic(
            code, .warning, resource: rule.resource.id, path: path, location: rule.resource.location(line: line),
            message: message)
    }

    // MARK: Its places in listeners

    /// Everything is laid out anew.
    func leave() {
        slots.removeAll(keepingCapacity: true)
        meshEntrances.removeAll(keepingCapacity: true)
        meshConflicts.removeAll(keepingCapacity: true)
    }

    func enter(_ mesh: Entrance) {
        if !meshEntrances.contains(mesh) { meshEntrances.append(mesh) }
    }

    /// Stands where the edition before it stood.
    func takePlace(of former: RoutedService) {
        slots = former.slots
        meshEntrances = former.meshEntrances
        meshConflicts = former.meshConflicts
    }

    // MARK: The resource alone

    private func findOwnProblems(_ options: CompilerOptions) -> [Diagnostic] {
        // What is wrong with a delegate's rules is told where they are used.
        if isDelegate { return [] }
        // Nobody gets here: one report is enough.
        if let problem = bindingProblem(options) { return [problem] }
        var problems: [Diagnostic] = []
        var ended: String?
        for rule in rules {
            if let ended {
                problems.append(
                    report(
                        .unreachableRule, rule, path: rule.path, line: rule.http.line,
                        "No request gets here, because \(ended) takes every one. Move it in front, or remove it."))
                continue
            }
            ended = endOfRules(rule, &problems)
        }
        return problems
    }

    /// Why nobody can reach it, whatever the Gateways are.
    private func bindingProblem(_ options: CompilerOptions) -> Diagnostic? {
        if exportRank == .hidden {
            return report(
                .notBoundToGateway, path: "spec.exportTo",
                "The VirtualService is not exported to the gateway's namespace \(options.gatewayNamespace), so it is not "
                    + "served. Remove exportTo, or add that namespace.")
        }
        guard gateways.isEmpty, options.meshListen == nil else { return nil }
        return report(
            .notBoundToGateway, path: "spec.gateways",
            "The VirtualService names no Gateway, so it applies to callers inside the mesh alone and is not served. Add "
                + "`gateways: [<name of a Gateway>]` to serve it at an ingress, or start with --mesh-listen HOST:PORT to serve it "
                + "to callers by service name.")
    }

    /// The match of this rule that takes every request on every Gateway, if there is one.
    private func endOfRules(_ rule: RoutedRule, _ problems: inout [Diagnostic]) -> String? {
        let (http, path) = (rule.http, rule.path)
        if http.match.isEmpty { return path }
        guard let last = http.match.firstIndex(where: { $0.isCatchAll && $0.isUnrestricted }) else { return nil }
        for index in http.match.indices.dropFirst(last + 1) {
            problems.append(
                report(
                    .unreachableRule, rule, path: "\(path).match[\(index)]", line: http.match[index].line,
                    "No request gets here, because \(path).match[\(last)] takes every one. Move it in front, or remove it."
                ))
        }
        return "\(path).match[\(last)]"
    }

    /// A pattern that passed validation and yet does not compile: its match is left out.
    func reportPattern(_ rule: RoutedRule, _ path: String, line: Int, _ reason: String) {
        patternDiagnostics[path] = report(
            .schemaValidation, rule, path: path, line: line,
            "The pattern does not compile (\(reason)), so this match is left out. Correct the pattern.")
    }

    /// Something a rule asks for that cannot be done.
    func reportAction(_ rule: RoutedRule, _ problem: RouteActionCompiler.Problem) {
        let path = "\(rule.path).\(problem.field)"
        patternDiagnostics[path] = report(
            .schemaValidation, rule, path: path, line: problem.line, problem.message)
    }

    // MARK: Gateways

    /// Finds the servers and domains it is served by, anew when the layout has changed.
    func bind(to layout: ListenerLayout, version: Int) {
        guard layoutVersion != version else { return }
        layoutVersion = version
        bound = []
        bindingDiagnostics = []
        guard exportRank != .hidden else { return }
        defer { forgetRoutes(of: layout) }
        for (index, gateway) in gateways {
            guard let servers = layout.serversByGateway[gateway] else {
                bindingDiagnostics.append(
                    report(
                        .referenceNotFound, path: "spec.gateways[\(index)]",
                        "There is no Gateway \(gateway). Create it, or name an existing one as `<name>` (same namespace) or "
                            + "`<namespace>/<name>`."))
                continue
            }
            for server in servers {
                let domains = domains(at: layout.servers[server].hosts)
                if !domains.isEmpty { bound.append(Bound(server: server, domains: domains)) }
            }
            let reaches = layout.hostsByGateway[gateway, default: []].contains { !domains(at: $0).isEmpty }
            if !reaches && !isDelegate {
                bindingDiagnostics.append(
                    report(
                        .hostNotInGateway, path: "spec.hosts",
                        "None of the hosts \(service.hosts.joined(separator: ", ")) is among the hosts of Gateway \(gateway). "
                            + "Add one of them to a server of the Gateway, or correct the VirtualService's hosts."))
            }
        }
    }

    /// Drops what was made for servers it no longer binds to.
    private func forgetRoutes(of layout: ListenerLayout) {
        let bindings = Set(bound.map { layout.servers[$0.server].entrance.binding } + meshEntrances.map(\.binding))
        routes = routes.filter { bindings.contains($0.key) }
        soleHosts = soleHosts.filter { bindings.contains($0.key) }
    }

    private func domains(at server: ServerHosts) -> [String] {
        var domains: [String] = []
        for host in hosts {
            for domain in server.domains(for: host, namespace: namespace) where !domains.contains(domain) {
                domains.append(domain)
            }
        }
        return domains
    }
}

/// How VirtualServices name Gateways.
enum GatewayName {
    /// What stands for every sidecar, and for `--mesh-listen`.
    static let mesh = "mesh"

    /// `gw`, `./gw`, `ns/gw` or the old `gw.ns.svc.cluster.local` to `ns/gw`; `mesh` stays.
    static func full(_ written: String, namespace: String) -> String {
        if written == mesh { return mesh }
        if let slash = written.firstIndex(of: "/") {
            return written[..<slash] == "." ? namespace + written[slash...] : written
        }
        let labels = written.split(separator: ".", maxSplits: 2)
        return labels.count > 1 ? "\(labels[1])/\(labels[0])" : "\(namespace)/\(written)"
    }
}

extension HTTPMatchRequest {
    /// Takes every request of its virtual host: such routes are tried last (semantics 3.3).
    var isCatchAll: Bool {
        guard scheme == nil, method == nil, authority == nil, queryParams.isEmpty,
            headers.allSatisfy({ MatchCompiler.pseudoNames.contains($0.name) }),
            withoutHeaders.allSatisfy({ MatchCompiler.pseudoNames.contains($0.name) })
        else { return false }
        return switch uri {
        case nil, .present, .prefix("/"), .regex(".*"): true
        default: false
        }
    }

    /// Holds on every port and Gateway.
    var isUnrestricted: Bool {
        port == nil && gateways.isEmpty && sourceLabels.isEmpty && (sourceNamespace ?? "").isEmpty
    }
}

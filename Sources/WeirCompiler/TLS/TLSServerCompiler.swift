import WeirConfig
import WeirEngine

/// Servers that end TLS: what they show and trust, made into contexts that workers serve with.
///
/// A server whose certificate is missing or broken has none, and no other server suffers. Contexts stay the same objects
/// for as long as what they are made of does.
///
/// Control thread only.
final class TLSServerCompiler {
    private let options: CompilerOptions
    /// Of this kind of server alone: others ask in rounds of their own.
    private let credentials: CredentialStore
    /// Those in use, and those each server had last, by its route table.
    private var contexts: [TLSServerSpec: TLSServerContexts] = [:]
    private var formerContexts: [String: TLSServerContexts] = [:]
    /// By place in the layout's servers.
    private var served: [Int: TLSServerContexts] = [:]
    private(set) var diagnostics: [Diagnostic] = []
    private(set) var statuses: [CertificateStatus] = []
    /// When the dates of a certificate say something else, in seconds since 1970.
    private(set) var nextChange: Double?
    /// Contexts made so far.
    private(set) var made = 0

    init(options: CompilerOptions, files: (any ReferencedFiles)?) {
        self.options = options
        credentials = CredentialStore(for: .gateways, files: files)
    }

    /// The contexts of a server, or `nil` when it cannot be served.
    subscript(server: Int) -> TLSServerContexts? { served[server] }

    /// Makes everything anew that is not as it was; `now` is in seconds since 1970, or unknown.
    func update(_ layout: ListenerLayout, _ resources: ResourceSet, atUnix now: Double?) {
        diagnostics = []
        served = [:]
        nextChange = nil
        var round = Round(pods: PodLabels(resources.resources(of: .pod)), now: now)
        credentials.begin(resources)
        for (place, server) in layout.servers.enumerated() {
            guard let secured = server.tls, secured.settings.endsTLS else { continue }
            served[place] = contexts(for: secured, &round)
        }
        statuses = credentials.settle(atUnix: now)
        contexts = round.contexts
        formerContexts = round.formerContexts
        diagnostics = round.diagnostics
        if let now {
            nextChange = statuses.flatMap(\.certificates).compactMap { $0.nextChange(afterUnix: now) }.min()
        }
    }

    /// What is gathered while all servers are gone through.
    private struct Round {
        let pods: PodLabels
        let now: Double?
        var contexts: [TLSServerSpec: TLSServerContexts] = [:]
        var formerContexts: [String: TLSServerContexts] = [:]
        var diagnostics: [Diagnostic] = []
    }

    private func contexts(for server: SecuredServer, _ round: inout Round) -> TLSServerContexts? {
        var gathering = TLSMaterialGathering(
            server, credentials,
            namespaces: options.secretNamespaces(of: server.gateway, round.pods), atUnix: round.now)
        let spec = gathering.spec()
        round.diagnostics += gathering.diagnostics
        guard let spec else { return nil }
        do throws(TLSConfigurationError) {
            let known = round.contexts[spec] ?? contexts[spec]
            let ready = if let known { known } else { try make(spec) }
            round.contexts[spec] = ready
            round.formerContexts[server.tableName] = ready
            return ready
        } catch {
            let former = formerContexts[server.tableName]
            round.formerContexts[server.tableName] = former
            if let former { round.contexts[former.spec] = former }
            let consequence =
                former == nil ? "TLS connections to this server fail" : "what it had before stays in use"
            round.diagnostics.append(
                server.report(
                    .invalidCredential, ".tls",
                    "These settings cannot be served: \(error); \(consequence). Correct them."))
            return former
        }
    }

    private func make(_ spec: TLSServerSpec) throws(TLSConfigurationError) -> TLSServerContexts {
        made += 1
        return try TLSServerContexts(spec, workers: options.workers)
    }
}

extension Gateway.TLS {
    /// Connections are decrypted here, so there are certificates to show.
    var endsTLS: Bool {
        switch mode {
        case .simple, .mutual, .optionalMutual: true
        case .passthrough, .autoPassthrough, .istioMutual: false
        }
    }

    /// Clients are asked for a certificate.
    var asksForCertificate: Bool { mode == .mutual || mode == .optionalMutual }
}

extension CompilerOptions {
    /// Where a Gateway's Secrets are: the first one that has them counts (semantics 2.7).
    func secretNamespaces(of gateway: Resource, _ pods: PodLabels) -> [String] {
        if let secretNamespace { return [secretNamespace] }
        return guessesSecretNamespaces ? likelySecretNamespaces(of: gateway, pods) : [gateway.id.namespace]
    }

    /// With the pods that the Gateway selects, else where Weir and Istio look for them.
    private func likelySecretNamespaces(of gateway: Resource, _ pods: PodLabels) -> [String] {
        guard case .gateway(let spec) = gateway.spec else { return [gateway.id.namespace] }
        var namespaces = pods.carrying(spec.selector).map(\.id.namespace)
        if namespaces.isEmpty {
            namespaces = [gateway.id.namespace, gatewayNamespace]
            // Istio's own gateway lives there.
            if spec.selector.isCarried(by: gatewayLabels ?? Self.usualGatewayLabels) {
                namespaces.append(rootNamespace)
            }
        }
        var seen: Set<String> = []
        return namespaces.filter { seen.insert($0).inserted }
    }

    /// Labels that Istio's own ingress gateway carries, as most Gateways in the wild select it.
    static let usualGatewayLabels = ["istio": "ingressgateway", "app": "istio-ingressgateway"]
}

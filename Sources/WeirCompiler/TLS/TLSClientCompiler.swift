import WeirConfig
import WeirEngine

/// A cluster's `tls` block, and where it is written.
struct ClientTLSBlock {
    let settings: TrafficPolicy.ClientTLS
    let resource: Resource
    /// `spec.trafficPolicy.tls`, or a narrower place.
    let path: String
    let line: Int
    /// Names that the service says its endpoints' certificates have.
    let serviceNames: [String]

    func report(_ code: DiagnosticCode, _ field: String, _ message: String) -> Diagnostic {
        Diagnostic(
            code, .warning, resource: resource.id, path: path + field, location: resource.location(line: line),
            message: message)
    }
}

/// How the connections to a cluster's endpoints are secured.
enum ClusterSecurity {
    case plain
    case secured(TLSClientContexts)
    /// What requests are told in place of an answer.
    case unusable(String)
}

/// TLS towards endpoints: what Weir shows and trusts, made into contexts that workers connect with.
///
/// Clusters ask in rounds, all of them in each, so that what nobody needs any more is known. Contexts stay the same objects
/// for as long as what they are made of does. Control thread only.
final class TLSClientCompiler {
    /// What clients are told; operators find the reason in the diagnostics.
    static let unusableText = "TLS_error:the certificates for the upstream are missing or cannot be used"
    static let meshText = "TLS_error:ISTIO_MUTUAL needs a mesh"

    private let options: CompilerOptions
    private let files: (any ReferencedFiles)?
    private let credentials: CredentialStore
    private var resources = ResourceSet([])
    private var secrets = SeenResources()
    private var filesVersion = 0
    private var contexts: [TLSClientSpec: TLSClientContexts] = [:]
    /// Those of this round.
    private var usedSpecs: Set<TLSClientSpec> = []
    private var isOutdated = false
    private var wasAsked = false
    private var found: [Diagnostic] = []
    private var seen: Set<Diagnostic> = []
    private(set) var diagnostics: [Diagnostic] = []
    /// What is shown to endpoints, and trusted of them.
    private(set) var statuses: [CertificateStatus] = []

    init(options: CompilerOptions, files: (any ReferencedFiles)?) {
        self.options = options
        self.files = files
        credentials = CredentialStore(for: .clusters, files: files)
    }

    /// Takes in resources, whose Secrets may be others.
    func take(_ resources: ResourceSet) {
        self.resources = resources
        let version = files?.version ?? 0
        guard secrets.changed([.secret], in: resources) || version != filesVersion else { return }
        filesVersion = version
        isOutdated = true
    }

    // MARK: Rounds

    /// Somebody asked outside of a round, or would be told something else now.
    var needsRound: Bool { isOutdated || wasAsked }

    /// A cluster that asked before is in use no longer.
    func forget() { isOutdated = true }

    /// Begins a round: everyone asks again.
    func begin() {
        credentials.begin(resources)
        found = []
        seen = []
    }

    /// Everyone has asked.
    func settle() {
        statuses = credentials.settle()
        filesVersion = files?.version ?? 0
        isOutdated = false
        wasAsked = false
        diagnostics = found
        contexts = contexts.filter { usedSpecs.contains($0.key) }
        usedSpecs = []
    }

    // MARK: Answers

    func security(_ block: ClientTLSBlock) -> ClusterSecurity {
        wasAsked = true
        switch block.settings.mode {
        case .disable: return .plain
        case .istioMutual:
            // Validation has said so of the rule, whoever uses it.
            return .unusable(Self.meshText)
        case .simple, .mutual: break
        }
        var gathering = ClientTLSGathering(block, credentials, options)
        let spec = gathering.spec()
        for diagnostic in gathering.diagnostics { note(diagnostic) }
        guard let spec else { return .unusable(Self.unusableText) }
        do throws(TLSConfigurationError) {
            let made: TLSClientContexts
            if let known = contexts[spec] { made = known } else { made = try make(spec) }
            contexts[spec] = made
            usedSpecs.insert(spec)
            return .secured(made)
        } catch {
            note(
                block.report(
                    .invalidCredential, "",
                    "These settings cannot be used: \(error); requests are answered with 503. Correct them."))
            return .unusable(Self.unusableText)
        }
    }

    private func make(_ spec: TLSClientSpec) throws(TLSConfigurationError) -> TLSClientContexts {
        // What the system trusts takes long to read, and many clusters trust it.
        let alike = contexts.first {
            $0.key.trust == spec.trust && $0.key.revocationLists == spec.revocationLists
        }
        return try TLSClientContexts(spec, workers: options.workers, sharingTrustWith: alike?.value)
    }

    /// Several clusters may be made by one block.
    private func note(_ diagnostic: Diagnostic) {
        if seen.insert(diagnostic).inserted { found.append(diagnostic) }
    }
}

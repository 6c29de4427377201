import WeirConfig
import WeirEngine

/// What TLS shows and trusts, by where it comes from: read, checked, and kept in its last good edition.
///
/// An edition that is missing, broken or half replaced leaves the one before it in use for as long as somebody names it.
///
/// Control thread only.
final class CredentialStore {
    /// One source's answer.
    struct Credential<Value: Hashable> {
        let source: CredentialSource
        /// What to use; `nil` = there never was a good edition.
        var value: Value?
        /// Of the certificates in `value`.
        var facts: [CertificateFacts] = []
        /// Of the present edition.
        var problem: CredentialProblem?
    }

    struct Authorities: Hashable {
        let certificates: [UInt8]
        let revocationList: [UInt8]?
    }

    typealias KeyPair = Credential<TLSServerSpec.Certificate>
    typealias Trust = Credential<Authorities>

    private let user: ReferencedFileUser
    private let files: (any ReferencedFiles)?
    private var resources = ResourceSet([])
    private var pairs = CredentialCache<TLSServerSpec.Certificate>()
    private var trusts = CredentialCache<Authorities>()
    private var paths: Set<String> = []
    private var users: [CredentialSource: Set<String>] = [:]

    /// Without files none is looked at: what they hold is taken to be good, and to be elsewhere.
    init(for user: ReferencedFileUser, files: (any ReferencedFiles)?) {
        self.user = user
        self.files = files
    }

    /// Whether what files hold is known.
    var readsFiles: Bool { files != nil }

    // MARK: Rounds

    /// Everything that is needed is asked for until `settle`.
    func begin(_ resources: ResourceSet) {
        self.resources = resources
        users = [:]
        paths = []
    }

    /// Forgets what was not asked for in this round; all the others by name, their dates looked at if it is known when it is.
    func settle(atUnix now: Double? = nil) -> [CertificateStatus] {
        let all = pairs.used.map { status($0, now) } + trusts.used.map { status($0, now) }
        pairs.dropUnused()
        trusts.dropUnused()
        files?.keep(paths, for: user)
        return all.sorted()
    }

    private func status<Value>(_ credential: Credential<Value>, _ now: Double?) -> CertificateStatus {
        let state: CertificateStatus.State =
            switch credential.problem?.kind {
            case nil, .leftOut: .active
            case .missing: .missing
            case .broken: .broken
            }
        let dates = now.flatMap { now in credential.facts.lazy.compactMap { $0.problem(atUnix: now) }.first }
        return CertificateStatus(
            source: credential.source, state: state, problem: credential.problem?.reason ?? dates,
            isInUse: credential.value != nil, certificates: credential.facts,
            users: (users[credential.source] ?? []).sorted())
    }

    // MARK: Secrets

    func secret(_ namespace: String, _ name: String) -> Secret? {
        let id = ResourceID(kind: .secret, namespace: namespace, name: name)
        guard case .secret(let secret)? = resources[id]?.spec else { return nil }
        return secret
    }

    /// Namespaces other than this one with a Secret of this name.
    func otherNamespaces(of name: String, than namespace: String) -> NameList {
        NameList(
            resources.resources(of: .secret).lazy.map(\.id).filter { $0.name == name && $0.namespace != namespace }
                .map(\.namespace))
    }

    /// The certificate and key of a Secret.
    func keyPair(secret name: String, in namespace: String, for user: String) -> KeyPair {
        let source = CredentialSource.secret(namespace: namespace, name: name)
        users[source, default: []].insert(user)
        guard let secret = secret(namespace, name) else { return pairs.absent(source, missingSecret(source)) }
        guard let pair = secret.keyPair else {
            let advice = "Add what is missing."
            return pairs.absent(source, broken("Secret \(source.name) is no use: \(secret.keyPairGap)", advice))
        }
        return pairs.present(source, pair.served) {
            Self.check(
                $0, in: "\(pair.certificateKey) of Secret \(source.name)", "\(pair.keyKey) of Secret \(source.name)")
        }
    }

    /// The certificates a Secret says to trust.
    func authorities(secret name: String, in namespace: String, for user: String) -> Trust {
        let source = CredentialSource.secretAuthority(namespace: namespace, name: name)
        users[source, default: []].insert(user)
        guard let secret = secret(namespace, name) else { return trusts.absent(source, missingSecret(source)) }
        guard let authority = secret.authority else {
            return trusts.absent(
                source, broken("Secret \(source.name) has neither ca.crt nor cacert", "Add the CA's certificate."))
        }
        let value = Authorities(certificates: authority.certificate, revocationList: authority.revocationList)
        return trusts.present(source, value) {
            Self.check(
                $0, in: "\(authority.certificateKey) of Secret \(source.name)",
                list: "\(authority.revocationKey) of Secret \(source.name)")
        }
    }

    /// Whether a good edition of such a Secret is known.
    func hasAuthorities(secret name: String, in namespace: String) -> Bool {
        trusts.hasValue(.secretAuthority(namespace: namespace, name: name))
    }

    private func missingSecret(_ source: CredentialSource) -> CredentialProblem {
        guard case .secret(let namespace, let name) = source else {
            return CredentialProblem(
                kind: .missing, reason: "there is no Secret \(source.name)",
                advice: "Create it with ca.crt, or correct the name.")
        }
        let others = otherNamespaces(of: name, than: namespace)
        let advice =
            others.isEmpty
            ? "Create it with tls.crt and tls.key, or correct the name."
            : "One of this name is in namespace \(others.text): move it, or say with --gateway-namespace where Secrets are."
        return CredentialProblem(kind: .missing, reason: "there is no Secret \(source.name)", advice: advice)
    }

    private func broken(_ reason: String, _ advice: String) -> CredentialProblem {
        CredentialProblem(kind: .broken, reason: reason, advice: advice)
    }

    // MARK: Files

    /// A certificate and its key in files.
    func keyPair(certificate: String, key: String, for user: String) -> KeyPair {
        let source = CredentialSource.files(certificate: certificate, key: key)
        users[source, default: []].insert(user)
        switch (bytes(certificate), bytes(key)) {
        case (.success(let chain), .success(let secret)):
            return pairs.present(source, TLSServerSpec.Certificate(chainPEM: chain, keyPEM: secret)) {
                Self.check($0, in: certificate, key)
            }
        case (.failure(let problem), _), (_, .failure(let problem)): return pairs.absent(source, problem)
        }
    }

    /// Certificates to trust in a file, and maybe a file of revoked ones.
    func authorities(file path: String, revocationFile: String? = nil, for user: String) -> Trust {
        let source = CredentialSource.authorityFile(path)
        users[source, default: []].insert(user)
        var revocationList: [UInt8]?
        if let revocationFile {
            switch bytes(revocationFile) {
            case .success(let list): revocationList = list
            case .failure(let problem): return trusts.absent(source, problem)
            }
        }
        switch bytes(path) {
        case .success(let text):
            let value = Authorities(certificates: text, revocationList: revocationList)
            return trusts.present(source, value) { Self.check($0, in: path, list: revocationFile ?? "") }
        case .failure(let problem): return trusts.absent(source, problem)
        }
    }

    private func bytes(_ path: String) -> Result<[UInt8], CredentialProblem> {
        paths.insert(path)
        switch files?.content(of: path) {
        case .content(let bytes):
            if !bytes.isEmpty { return .success(bytes) }
            return .failure(broken("the file \(path) is empty", "Write PEM text to it."))
        case .missing, nil:
            let advice = "Create it, or correct its path."
            return .failure(
                CredentialProblem(kind: .missing, reason: "there is no file \(path)", advice: advice))
        case .unreadable(let reason):
            return .failure(broken("the file \(path) cannot be read", reason))
        }
    }

    // MARK: Checks

    /// Whether OpenSSL takes the pair; a staple it does not take is left out.
    static func check(
        _ pair: TLSServerSpec.Certificate, in certificate: String, _ key: String
    ) -> CredentialCache<TLSServerSpec.Certificate>.Checked {
        do throws(TLSConfigurationError) {
            let facts = try TLSServerContexts(TLSServerSpec(certificates: [pair]), workers: 1).certificates
            return .good(pair, facts)
        } catch {
            return switch error {
            case .unreadableOCSPResponse where pair.ocspResponse != nil:
                withoutStaple(pair, in: certificate, key)
            case .keyOfAnotherCertificate:
                .bad(
                    CredentialProblem(
                        kind: .broken, reason: "the private key in \(key) does not belong to the certificate",
                        advice: "Write the two of one pair."))
            case .unreadableKey(_, let reason):
                .bad(
                    CredentialProblem(
                        kind: .broken, reason: "there is no private key that can be read in \(key) (\(reason))",
                        advice: "Write it as PEM text without a passphrase."))
            case .unreadableCertificate(_, let reason):
                .bad(
                    CredentialProblem(
                        kind: .broken, reason: "there is no certificate that can be read in \(certificate) (\(reason))",
                        advice: "Write it as PEM text, the server's certificate first."))
            default:
                .bad(
                    CredentialProblem(
                        kind: .broken, reason: "the certificate in \(certificate) cannot be served: \(error)",
                        advice: "Write another certificate."))
            }
        }
    }

    private static func withoutStaple(
        _ pair: TLSServerSpec.Certificate, in certificate: String, _ key: String
    ) -> CredentialCache<TLSServerSpec.Certificate>.Checked {
        let rest = TLSServerSpec.Certificate(chainPEM: pair.chainPEM, keyPEM: pair.keyPEM)
        let checked = check(rest, in: certificate, key)
        guard case .good(let served, let facts, nil) = checked else { return checked }
        let problem = CredentialProblem(
            kind: .leftOut, reason: "the OCSP response beside \(certificate) cannot be read",
            advice: "Write the response as DER.")
        return .good(served, facts, problem)
    }

    private static func check(
        _ trust: Authorities, in place: String, list: String
    ) -> CredentialCache<Authorities>.Checked {
        if let reason = trust.revocationList.flatMap({ CertificateFacts.revocationListProblem(inPEM: $0) }) {
            return .bad(
                CredentialProblem(
                    kind: .broken, reason: "there is no revocation list that can be read in \(list) (\(reason))",
                    advice: "Write it as PEM text."))
        }
        do throws(TLSConfigurationError) {
            return .good(trust, try CertificateFacts.all(inPEM: trust.certificates))
        } catch {
            return .bad(
                CredentialProblem(
                    kind: .broken, reason: "there is no CA certificate that can be read in \(place)",
                    advice: "Write it as PEM text."))
        }
    }
}

/// The last good edition of each source.
struct CredentialCache<Value: Hashable> {
    enum Checked {
        /// What of it is no use is told all the same.
        case good(Value, [CertificateFacts], CredentialProblem? = nil)
        case bad(CredentialProblem)
    }
    private struct Entry {
        var credential: CredentialStore.Credential<Value>
        /// What was checked last.
        var input: Value?
        var isUsed = true
    }

    private var entries: [CredentialSource: Entry] = [:]

    func hasValue(_ source: CredentialSource) -> Bool { entries[source]?.credential.value != nil }

    /// Those of this round.
    var used: [CredentialStore.Credential<Value>] { entries.values.filter(\.isUsed).map(\.credential) }

    /// The source has this now; checked unless it had it before.
    mutating func present(
        _ source: CredentialSource, _ input: Value, _ check: (Value) -> Checked
    ) -> CredentialStore.Credential<Value> {
        var entry = entries[source] ?? Entry(credential: CredentialStore.Credential(source: source))
        entry.isUsed = true
        if entry.input != input {
            entry.input = input
            switch check(input) {
            case .good(let value, let facts, let problem):
                entry.credential = CredentialStore.Credential(
                    source: source, value: value, facts: facts, problem: problem)
            case .bad(let problem): entry.credential.problem = problem
            }
        }
        entries[source] = entry
        return entry.credential
    }

    /// The source has nothing that could be checked.
    mutating func absent(
        _ source: CredentialSource, _ problem: CredentialProblem
    ) -> CredentialStore.Credential<Value> {
        var entry = entries[source] ?? Entry(credential: CredentialStore.Credential(source: source))
        entry.isUsed = true
        entry.input = nil
        entry.credential.problem = problem
        entries[source] = entry
        return entry.credential
    }

    /// Ends a round.
    mutating func dropUnused() {
        entries = entries.filter(\.value.isUsed)
        for source in entries.keys { entries[source]?.isUsed = false }
    }
}

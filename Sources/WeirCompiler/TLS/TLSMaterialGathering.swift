import WeirConfig
import WeirEngine

/// Gathers what one server shows and trusts, and tells what is wrong with it.
struct TLSMaterialGathering {
    private let server: SecuredServer
    private let settings: Gateway.TLS
    private let credentials: CredentialStore
    /// Where Secrets may be; never empty.
    private let namespaces: [String]
    private let now: Double?
    private(set) var diagnostics: [Diagnostic] = []

    init(_ server: SecuredServer, _ credentials: CredentialStore, namespaces: [String], atUnix now: Double?) {
        self.server = server
        settings = server.settings
        self.credentials = credentials
        self.namespaces = namespaces
        self.now = now
    }

    /// What the server is; `nil` when something of it is missing.
    mutating func spec() -> TLSServerSpec? {
        let pairs = keyPairs()
        let trust = settings.asksForCertificate ? authorities() : nil
        guard !pairs.isEmpty, pairs.allSatisfy({ $0 != nil }), !settings.asksForCertificate || trust != nil else {
            return nil
        }
        var spec = TLSServerSpec(certificates: pairs.compactMap(\.self))
        switch settings.mode {
        case .mutual: spec.clientVerification = .required
        case .optionalMutual: spec.clientVerification = .optional
        default: spec.clientVerification = .none
        }
        if let trust {
            spec.clientAuthorityPEM = trust.certificates
            spec.revocationListPEM = trust.revocationList ?? []
            spec.subjectAltNames = settings.subjectAltNames
            spec.publicKeyHashes = settings.verifyCertificateSpki
            spec.certificateHashes = settings.verifyCertificateHash
            spec.isLenient = settings.insecureSkipVerify
        }
        spec.minVersion = settings.minProtocolVersion.version ?? .tls12
        spec.maxVersion = settings.maxProtocolVersion.version ?? .tls13
        let suites = settings.knownCipherSuites
        if !suites.isEmpty { spec.cipherSuites = suites }
        if server.server.port.protocol != .https { spec.applicationProtocols = [] }
        return spec
    }

    // MARK: What it shows

    /// `nil` for each that there is none of.
    private mutating func keyPairs() -> [TLSServerSpec.Certificate?] {
        let names = settings.writtenSecrets
        if !names.isEmpty { return names.map { keyPair(secret: $0.name, field: $0.field) } }
        return settings.writtenFiles.map { pair in
            take(
                credentials.keyPair(certificate: pair.certificate, key: pair.key, for: server.title), field: pair.field)
        }
    }

    private mutating func keyPair(secret written: String, field: String) -> TLSServerSpec.Certificate? {
        guard let place = place(of: written, field: field) else { return nil }
        return take(
            credentials.keyPair(secret: place.name, in: place.namespace, for: server.title), field: field)
    }

    /// The Secret that is meant.
    private mutating func place(of written: String, field: String) -> (name: String, namespace: String)? {
        var found: (name: String, namespace: String)?
        for namespace in namespaces {
            switch CredentialName(written, namespace: namespace) {
            case .secret(let namespace, let name):
                if credentials.secret(namespace, name) != nil { return (name, namespace) }
                found = found ?? (name, namespace)
            case .refused(let reason):
                if found == nil, namespace == namespaces.last {
                    report(
                        .schemaValidation, field,
                        "\(written) cannot be used, so TLS connections to this server fail. \(reason)")
                }
            }
        }
        return found
    }

    // MARK: What it trusts

    private mutating func authorities() -> CredentialStore.Authorities? {
        if let name = settings.caCertCredentialName, !name.isEmpty {
            let field = "caCertCredentialName"
            guard let place = place(of: name, field: field) else { return nil }
            return take(
                credentials.authorities(secret: place.name, in: place.namespace, for: server.title), field: field)
        }
        if let first = settings.writtenSecrets.first { return authorities(besides: first.name, first.field) }
        let file = settings.caCertificates ?? settings.tlsCertificates.lazy.compactMap(\.caCertificates).first
        guard let file, !file.isEmpty else { return nil }
        let list = (settings.caCrl ?? "").isEmpty ? nil : settings.caCrl
        return take(
            credentials.authorities(file: file, revocationFile: list, for: server.title), field: "caCertificates")
    }

    /// Of the Secret `<name>-cacert`, else of the one with the certificate.
    private mutating func authorities(besides written: String, _ field: String) -> CredentialStore.Authorities? {
        guard let place = place(of: written, field: field) else { return nil }
        let separate = place.name + "-cacert"
        let own = credentials.secret(place.namespace, place.name)
        let isSeparate =
            credentials.secret(place.namespace, separate) != nil
            || own?.authority == nil && credentials.hasAuthorities(secret: separate, in: place.namespace)
        let name = isSeparate ? separate : place.name
        let trust = credentials.authorities(secret: name, in: place.namespace, for: server.title)
        // That the Secret is missing was told with its certificate.
        if !isSeparate, own == nil, trust.value == nil { return nil }
        return take(trust, field: field)
    }

    // MARK: Findings

    /// What there is to use of a credential; what is wrong with it is told.
    private mutating func take<Value>(
        _ credential: CredentialStore.Credential<Value>, field: String
    ) -> Value? {
        // Files are looked at where they are served from alone.
        if !credentials.readsFiles, credential.source.isFile { return nil }
        if let problem = credential.problem {
            let consequence = problem.consequence(
                isInUse: credential.value != nil, otherwise: "so TLS connections to this server fail")
            report(
                problem.kind == .missing ? .referenceNotFound : .invalidCredential, field,
                "\(problem.reason.capitalizedFirst), \(consequence). \(problem.advice)")
        }
        if let now, let dates = credential.facts.lazy.compactMap({ $0.problem(atUnix: now) }).first {
            report(
                .invalidCredential, field,
                "A certificate of \(credential.source.description) \(dates); it is used all the same. Renew it.")
        }
        return credential.value
    }

    private mutating func report(_ code: DiagnosticCode, _ field: String, _ message: String) {
        diagnostics.append(server.report(code, ".tls.\(field)", message))
    }
}

extension String {
    /// With its first letter in upper case.
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

extension Gateway.TLS {
    /// The Secrets named, with the fields that name them.
    var writtenSecrets: [(name: String, field: String)] {
        var names = credentialName.map { [(name: $0, field: "credentialName")] } ?? []
        names += credentialNames.enumerated().map { (name: $1, field: "credentialNames[\($0)]") }
        return names.filter { !$0.name.isEmpty }
    }

    /// The pairs of files named, with the fields that name them.
    fileprivate var writtenFiles: [(certificate: String, key: String, field: String)] {
        if let serverCertificate, let privateKey {
            return [(certificate: serverCertificate, key: privateKey, field: "serverCertificate")]
        }
        return tlsCertificates.prefix(2).enumerated().map {
            ($1.serverCertificate ?? "", $1.privateKey ?? "", "tlsCertificates[\($0)].serverCertificate")
        }
    }
}

extension Gateway.TLS.ProtocolVersion {
    /// `nil` = the default.
    fileprivate var version: TLSServerSpec.ProtocolVersion? {
        switch self {
        case .auto: nil
        case .tls10: .tls10
        case .tls11: .tls11
        case .tls12: .tls12
        case .tls13: .tls13
        }
    }
}

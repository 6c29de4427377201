import WeirConfig
import WeirEngine

/// Gathers what the connections to one cluster show and trust, and tells what is wrong with it.
struct ClientTLSGathering {
    /// Where systems keep the certificates that they trust; the first that is there counts.
    static let systemTrust = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
    ]

    private let block: ClientTLSBlock
    private let settings: TrafficPolicy.ClientTLS
    private let credentials: CredentialStore
    /// Where a Secret may be; the first that has it counts.
    private let namespaces: [String]
    private(set) var diagnostics: [Diagnostic] = []

    init(_ block: ClientTLSBlock, _ credentials: CredentialStore, _ options: CompilerOptions) {
        self.block = block
        self.credentials = credentials
        settings = block.settings
        if let namespace = options.secretNamespace {
            namespaces = [namespace]
        } else {
            let own = block.resource.id.namespace
            namespaces = [options.gatewayNamespace] + (own == options.gatewayNamespace ? [] : [own])
        }
    }

    private var user: String { "DestinationRule \(block.resource.id.namespace)/\(block.resource.id.name)" }

    /// How the connections are secured; `nil` when something of it is missing.
    mutating func spec() -> TLSClientSpec? {
        let trust = trust()
        let pair = settings.mode == .mutual ? keyPair() : nil
        guard let trust, settings.mode != .mutual || pair != nil else { return nil }
        var spec = TLSClientSpec(trust: trust.certificates)
        spec.revocationLists = trust.revocationList.map { PEMText($0) }
        if let pair {
            spec.certificate = PEMText(pair.chainPEM)
            spec.privateKey = PEMText(pair.keyPEM)
        }
        spec.serverName = settings.sni.flatMap { $0.isEmpty ? nil : $0.lowercased() }
        spec.expectedNames = expectedNames
        return spec
    }

    private var expectedNames: TLSClientSpec.ExpectedNames {
        if settings.insecureSkipVerify == true { return .any }
        if !settings.subjectAltNames.isEmpty { return .oneOf(settings.subjectAltNames) }
        if !block.serviceNames.isEmpty { return .oneOf(block.serviceNames) }
        return (settings.sni ?? "").isEmpty ? .requested : .any
    }

    // MARK: What is shown

    private mutating func keyPair() -> TLSServerSpec.Certificate? {
        if let written = settings.credentialName {
            guard let place = place(of: written) else { return nil }
            return take(
                credentials.keyPair(secret: place.name, in: place.namespace, for: user), field: "credentialName")
        }
        guard let certificate = settings.clientCertificate, let key = settings.privateKey else { return nil }
        return take(
            credentials.keyPair(certificate: certificate, key: key, for: user), field: "clientCertificate")
    }

    /// The Secret that is meant.
    private mutating func place(of written: String) -> (name: String, namespace: String)? {
        var first: (name: String, namespace: String)?
        var refusal = ""
        for namespace in namespaces {
            switch CredentialName(written, namespace: namespace) {
            case .secret(let namespace, let name):
                if credentials.secret(namespace, name) != nil || credentials.secret(namespace, name + "-cacert") != nil
                {
                    return (name, namespace)
                }
                first = first ?? (name, namespace)
            case .refused(let reason): refusal = reason
            }
        }
        if first == nil {
            report(.schemaValidation, "credentialName", "\(written) cannot be used, \(Self.consequence). \(refusal)")
        }
        return first
    }

    // MARK: What is trusted

    private mutating func trust() -> (certificates: TLSClientSpec.Trust, revocationList: [UInt8]?)? {
        if settings.insecureSkipVerify == true { return (.anyone, nil) }
        let authorities =
            if let written = settings.credentialName { secretAuthorities(written) } else { fileAuthorities() }
        guard let authorities else { return nil }
        return (.authorities(PEMText(authorities.certificates)), authorities.revocationList)
    }

    /// Of the Secret `<name>-cacert`, else of the one itself.
    private mutating func secretAuthorities(_ written: String) -> CredentialStore.Authorities? {
        guard let place = place(of: written) else { return nil }
        let separate = place.name + "-cacert"
        let own = credentials.secret(place.namespace, place.name)
        let isSeparate =
            credentials.secret(place.namespace, separate) != nil
            || own?.authority == nil && credentials.hasAuthorities(secret: separate, in: place.namespace)
        let name = isSeparate ? separate : place.name
        return take(credentials.authorities(secret: name, in: place.namespace, for: user), field: "credentialName")
    }

    private mutating func fileAuthorities() -> CredentialStore.Authorities? {
        let list = settings.caCrl.flatMap { $0.isEmpty ? nil : $0 }
        if let path = settings.caCertificates, path != "system" {
            return take(
                credentials.authorities(file: path, revocationFile: list, for: user), field: "caCertificates")
        }
        // What was trusted before stays so while the file is being replaced.
        for path in Self.systemTrust {
            let trust = credentials.authorities(file: path, revocationFile: list, for: user)
            if trust.value != nil || trust.problem?.kind == .broken { return take(trust, field: "caCertificates") }
        }
        if credentials.readsFiles {
            report(
                .referenceNotFound, "caCertificates",
                "The system has no list of certificates that it trusts, \(Self.consequence). Install one "
                    + "(ca-certificates), or name a file in caCertificates.")
        }
        return nil
    }

    // MARK: Findings

    private static let consequence = "so requests are answered with 503"

    /// What there is to use of a credential; what is wrong with it is told.
    private mutating func take<Value>(_ credential: CredentialStore.Credential<Value>, field: String) -> Value? {
        // Files are looked at where they are used from alone.
        if !credentials.readsFiles, credential.source.isFile { return nil }
        if let problem = credential.problem {
            let consequence = problem.consequence(isInUse: credential.value != nil, otherwise: Self.consequence)
            report(
                problem.kind == .missing ? .referenceNotFound : .invalidCredential, field,
                "\(problem.reason.prefix(1).uppercased())\(problem.reason.dropFirst()), \(consequence). \(problem.advice)"
            )
        }
        return credential.value
    }

    private mutating func report(_ code: DiagnosticCode, _ field: String, _ message: String) {
        diagnostics.append(block.report(code, ".\(field)", message))
    }
}

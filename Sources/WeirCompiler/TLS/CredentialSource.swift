package import WeirEngine

/// Where something that TLS needs comes from.
package enum CredentialSource: Sendable, Hashable {
    /// The certificate and key of a Secret.
    case secret(namespace: String, name: String)
    /// The certificates of a Secret that are trusted.
    case secretAuthority(namespace: String, name: String)
    /// Two files.
    case files(certificate: String, key: String)
    case authorityFile(String)

    /// `namespace/name` of a Secret, else the file that names it best.
    package var name: String {
        switch self {
        case .secret(let namespace, let name), .secretAuthority(let namespace, let name): "\(namespace)/\(name)"
        case .files(let path, _), .authorityFile(let path): path
        }
    }

    /// As messages speak of it.
    var description: String {
        switch self {
        case .secret, .secretAuthority: "Secret \(name)"
        case .files(let certificate, let key): "the files \(certificate) and \(key)"
        case .authorityFile(let path): "the file \(path)"
        }
    }

    var isFile: Bool {
        switch self {
        case .secret, .secretAuthority: false
        case .files, .authorityFile: true
        }
    }

    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case certificateChain = "Cert Chain"
        case authority = "CA"
    }

    package var kind: Kind {
        switch self {
        case .secret, .files: .certificateChain
        case .secretAuthority, .authorityFile: .authority
        }
    }
}

/// Why something that TLS needs cannot be had in its present edition.
struct CredentialProblem: Error, Hashable {
    enum Kind: Hashable {
        case missing
        case broken
        /// A part is no use, and the rest is used without it.
        case leftOut
    }

    let kind: Kind
    /// What is wrong, without who says so: `there is no Secret default/a`.
    let reason: String
    /// A sentence.
    let advice: String

    /// What becomes of it, as the rest of a sentence.
    func consequence(isInUse: Bool, otherwise: String) -> String {
        if kind == .leftOut { return "so it is left out" }
        return isInUse ? "so the last good edition stays in use" : otherwise
    }
}

/// One source as it stands: for `weir secrets`, metrics and `/config_dump`.
///
/// Holds nothing that is secret.
package struct CertificateStatus: Sendable, Hashable {
    package enum State: String, Sendable, Hashable, CaseIterable {
        case active = "ACTIVE"
        case missing = "MISSING"
        case broken = "BROKEN"
    }

    package let source: CredentialSource
    package let state: State
    /// What is wrong with the present edition, or with the dates of the one in use.
    package let problem: String?
    /// Something is in use: the present edition, or the last good one.
    package let isInUse: Bool
    /// Of what is in use.
    package let certificates: [CertificateFacts]
    /// The servers and rules that name it, sorted.
    package private(set) var users: [String]

    /// Those of two lists by name; what both have is one, with the users of both.
    static func joined(_ some: [CertificateStatus], _ others: [CertificateStatus]) -> [CertificateStatus] {
        if others.isEmpty { return some }
        var all = Dictionary(some.map { ($0.source, $0) }) { first, _ in first }
        for status in others {
            var known = all[status.source] ?? status
            known.users = Set(known.users + status.users).sorted()
            all[status.source] = known
        }
        return all.values.sorted()
    }
}

extension CertificateStatus: Comparable {
    /// By name.
    package static func < (left: CertificateStatus, right: CertificateStatus) -> Bool {
        (left.source.name, left.source.kind.rawValue) < (right.source.name, right.source.kind.rawValue)
    }
}

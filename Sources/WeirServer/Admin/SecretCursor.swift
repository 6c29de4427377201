import WeirCompiler
import WeirEngine
import WeirSources

/// What servers of TLS show and trust; never a key.
struct SecretCursor: RowCursor {
    private var rows: [SecretRow]?

    init(_ certificates: [CertificateStatus], _ filter: ListingFilter, atUnix now: Double = SystemClock.unix) {
        rows = certificates.map { Self.row($0, now) }
            .filter {
                filter.admits("name", within: $0.name) && filter.admits("type", anyCase: $0.type)
                    && filter.admits("status", anyCase: $0.status)
            }
    }

    mutating func next() -> [SecretRow]? {
        defer { rows = nil }
        return rows
    }

    private static func row(_ status: CertificateStatus, _ now: Double) -> SecretRow {
        SecretRow(
            name: status.source.name, type: status.source.kind.rawValue, status: status.state.rawValue,
            problem: status.problem, inUse: status.isInUse,
            valid: !status.certificates.isEmpty
                && status.certificates.allSatisfy { Double($0.notBefore) <= now && now < Double($0.notAfter) },
            certificates: status.certificates.map(Self.certificate), usedBy: status.users)
    }

    private static func certificate(_ facts: CertificateFacts) -> SecretRow.Certificate {
        SecretRow.Certificate(
            subject: facts.subject, issuer: facts.issuer,
            names: facts.dnsNames + facts.ipAddresses + facts.uris + facts.emails, serialNumber: facts.serialNumber,
            notBefore: Timestamp.text(unixSeconds: facts.notBefore),
            notAfter: Timestamp.text(unixSeconds: facts.notAfter), fingerprint: facts.sha256,
            keyType: facts.keyType)
    }
}

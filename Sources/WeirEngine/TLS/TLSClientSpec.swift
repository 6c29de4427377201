import COpenSSL

/// How connections to the endpoints of a cluster are secured.
///
/// Plain values as the configuration means them; `TLSClientContexts` makes them usable. Equal specs are one set of contexts.
package struct TLSClientSpec: Sendable, Hashable {
    /// Whose certificates are believed.
    package enum Trust: Sendable, Hashable {
        /// Those that one of these certificates stands behind.
        case authorities(PEMText)
        /// Everyone's: neither chain nor name is looked at.
        case anyone
    }

    /// What a certificate must be for.
    package enum ExpectedNames: Sendable, Hashable {
        /// Whatever.
        case any
        /// One of these, exactly.
        case oneOf([String])
        /// The name that the connection asks for, which is the request's host.
        case requested
    }

    package var trust: Trust
    /// When there are any, each certificate of a chain needs one of its issuer.
    package var revocationLists: PEMText?
    /// The client's own certificate, with those between it and its root, and its key.
    package var certificate: PEMText?
    package var privateKey: PEMText?
    /// The name asked for (SNI); `nil` = each request's host.
    package var serverName: String?
    package var expectedNames = ExpectedNames.any

    package init(trust: Trust) { self.trust = trust }

    /// What a connection is good for depends on the request it was opened for.
    var namesRequests: Bool { serverName == nil }
}

/// Certificates or keys as PEM text, compared by what they are and not byte by byte.
package struct PEMText: Sendable, Hashable {
    package let bytes: [UInt8]
    private let digest: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var digest = [UInt8](repeating: 0, count: 32)
        precondition(EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1, "no SHA-256")
        self.digest = digest
    }

    package static func == (left: PEMText, right: PEMText) -> Bool { left.digest == right.digest }

    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}

/// What operators tell of a client's connection and its certificates.
enum LogConnectionFact: UInt8 {
    /// What the client has asked for in its hello.
    case serverName
    /// `TLSv1.3`
    case version
    case cipher
    /// Hexadecimal.
    case sessionID
    /// These are of the client's certificate: names as in RFC 2253, numbers in hexadecimal.
    case subject
    case issuer
    case serial
    case fingerprint1
    case fingerprint256
    case uriNames
    case dnsNames
    case addresses
    /// PEM, with what a URL may not have replaced.
    case certificate
    case validFrom
    case validUntil
    /// These are of the certificate that Weir has shown.
    case ownSubject
    case ownURINames
    case ownDNSNames
}

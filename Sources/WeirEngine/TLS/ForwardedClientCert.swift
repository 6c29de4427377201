import COpenSSL

/// The value of `x-forwarded-client-cert` for one client's certificate (Envoy's SANITIZE_SET with all details; semantics 2.7).
///
/// Made once for a connection.
struct ForwardedClientCert {
    /// The longest there is; a certificate that needs more is described without its own text.
    static let maxBytes = 16 * 1024

    let value: [UInt8]

    /// `own`: the certificate that this side has shown.
    init(_ certificate: OpaquePointer, own: OpaquePointer?) {
        let names = CertificateNames(certificate)
        var head: [String] = []
        if let own { head += CertificateNames(own).uris.map { "By=\($0)" } }
        head.append("Hash=\(CertificateFacts.hex(CertificateFacts.digest(certificate)))")
        var tail = ["Subject=\"\(CertificateFacts.text(of: X509_get_subject_name(certificate)))\""]
        // The key stands there even without a value; those of DNS names do not.
        tail += names.uris.isEmpty ? ["URI="] : names.uris.map { "URI=\($0)" }
        tail += names.dns.map { "DNS=\($0)" }
        let text = Self.joined(head + ["Cert=\"\(String(decoding: Self.encoded(certificate), as: UTF8.self))\""] + tail)
        value = text.count <= Self.maxBytes ? text : Array(Self.joined(head + tail).prefix(Self.maxBytes))
    }

    private static func joined(_ parts: [String]) -> [UInt8] {
        // What a certificate says must not end the line it stands in.
        parts.joined(separator: ";").utf8.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }
    }

    /// The certificate's PEM, with what a URL may not have replaced.
    static func encoded(_ certificate: OpaquePointer) -> [UInt8] {
        var text: [UInt8] = []
        for byte in OpenSSLText.printed({ PEM_write_bio_X509($0, certificate) }) {
            switch byte {
            case UInt8(ascii: "\n"): text += "%0A".utf8
            case UInt8(ascii: " "): text += "%20".utf8
            case UInt8(ascii: "+"): text += "%2B".utf8
            case UInt8(ascii: "/"): text += "%2F".utf8
            case UInt8(ascii: "="): text += "%3D".utf8
            default: text.append(byte)
            }
        }
        return text
    }
}

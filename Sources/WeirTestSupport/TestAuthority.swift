import Foundation

/// A certificate authority of a test's own and what it signed: files that `openssl` makes, gone with the last object of it.
package final class TestAuthority: Sendable {
    /// A certificate with its key.
    package struct Identity: Sendable {
        /// Paths of PEM files.
        package let certificate: String
        package let key: String
        /// Keeps the files.
        private let directory: TemporaryDirectory

        fileprivate init(_ name: String, in directory: TemporaryDirectory) {
            certificate = directory.path(name + ".crt")
            key = directory.path(name + ".key")
            self.directory = directory
        }

        package var certificateText: String { get throws { try String(contentsOfFile: certificate, encoding: .utf8) } }
        package var keyText: String { get throws { try String(contentsOfFile: key, encoding: .utf8) } }
    }

    /// What a certificate's key is.
    package enum KeyKind: Sendable {
        case ecdsa
        case rsa

        fileprivate var arguments: [String] {
            switch self {
            case .ecdsa: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .rsa: ["-newkey", "rsa:2048"]
            }
        }
    }

    private let directory: TemporaryDirectory
    private let openssl: Tool
    private let root: Identity

    /// The path of the authority's certificate.
    package var certificate: String { root.certificate }
    package var certificateText: String { get throws { try root.certificateText } }

    package init(name: String = "A test's authority") throws {
        directory = try TemporaryDirectory()
        openssl = try Tool("openssl")
        root = Identity("authority", in: directory)
        try run(
            ["req", "-x509"] + KeyKind.ecdsa.arguments + [
                "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-keyout", root.key, "-out", root.certificate,
            ])
    }

    /// A certificate for these names, the first of which its subject has too.
    package func issue(_ names: [String], key kind: KeyKind = .ecdsa, days: Int = 2) throws -> Identity {
        let file = "\(UInt64.random(in: 0..<UInt64.max))"
        let request = directory.path(file + ".csr")
        let identity = Identity(file, in: directory)
        let alternatives = names.map { "DNS:\($0)" }.joined(separator: ",")
        try directory.write(file + ".ext", "basicConstraints=CA:FALSE\nsubjectAltName=\(alternatives)\n")
        try run(
            ["req", "-new"] + kind.arguments + [
                "-nodes", "-subj", "/CN=\(names[0])", "-keyout", identity.key, "-out", request,
            ])
        try run([
            "x509", "-req", "-in", request, "-CA", root.certificate, "-CAkey", root.key, "-days", "\(days)",
            "-set_serial", "0x\(String(UInt64.random(in: 1..<UInt64.max), radix: 16))",
            "-extfile", directory.path(file + ".ext"), "-out", identity.certificate,
        ])
        return identity
    }

    /// What the authority says of a certificate that it has issued, for a day: an OCSP response in DER.
    package func ocspResponse(for identity: Identity) throws -> [UInt8] {
        let serial = try openssl.run(["x509", "-noout", "-serial", "-in", identity.certificate]).output
            .trimmingCharacters(in: .whitespacesAndNewlines).replacingOccurrences(of: "serial=", with: "")
        let file = directory.path("\(UInt64.random(in: 0..<UInt64.max))")
        try directory.write("index", "V\t491231235959Z\t\t\(serial)\tunknown\t/CN=issued\n")
        try run(["ocsp", "-issuer", root.certificate, "-cert", identity.certificate, "-reqout", file + ".request"])
        try run([
            "ocsp", "-index", directory.path("index"), "-CA", root.certificate, "-rsigner", root.certificate, "-rkey",
            root.key, "-reqin", file + ".request", "-respout", file, "-ndays", "1",
        ])
        return Array(try Data(contentsOf: URL(filePath: file)))
    }

    private func run(_ arguments: [String]) throws {
        let outcome = try openssl.run(arguments)
        guard outcome.status == 0 else { throw TestSocketError(description: "openssl: \(outcome.errors)") }
    }
}

import Foundation
import WeirTestSupport

extension Documents {
    /// A Gateway that terminates TLS on one port, and one for plain HTTP on port 80.
    static func secureGateway(
        _ name: String = "entry", port: Int = 443, hosts: [String] = ["*"], mode: String = "SIMPLE",
        credential: String = "certificate", options: String = ""
    ) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: \(name)}
        spec:
          servers:
          - port: {number: 80, name: http, protocol: HTTP}
            hosts: ["*"]
          - port: {number: \(port), name: https, protocol: HTTPS}
            hosts: [\(hosts.map { "\"\($0)\"" }.joined(separator: ", "))]
            tls: {mode: \(mode), credentialName: \(credential)\(options.isEmpty ? "" : ", \(options)")}

        """
    }

    /// A Secret of type kubernetes.io/tls, with the authority of clients if there is one.
    static func secret(
        _ name: String = "certificate", _ identity: TestAuthority.Identity, clientAuthority: TestAuthority? = nil,
        staple: [UInt8]? = nil
    ) throws -> String {
        var data = [
            ("tls.crt", Data(try identity.certificateText.utf8)), ("tls.key", Data(try identity.keyText.utf8)),
        ]
        if let clientAuthority { data.append(("ca.crt", Data(try clientAuthority.certificateText.utf8))) }
        if let staple { data.append(("tls.ocsp-staple", Data(staple))) }
        let lines = data.map { "  \($0): \($1.base64EncodedString())\n" }.joined()
        return "apiVersion: v1\nkind: Secret\nmetadata: {name: \(name)}\ntype: kubernetes.io/tls\ndata:\n" + lines
    }

    /// A service that is spoken to in this protocol.
    static func serviceEntry(_ host: String, protocol name: String, port: Int) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: \(host)}
        spec:
          hosts: [\(host).default.svc.cluster.local]
          resolution: STATIC
          ports: [{number: 80, name: \(name.lowercased()), protocol: \(name)}]
          endpoints:
          - {address: 127.0.0.1, ports: {\(name.lowercased()): \(port)}}

        """
    }
}

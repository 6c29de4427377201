import WeirConfig
import WeirEngine

@testable import WeirCompiler

extension Fixture {
    /// A server that ends TLS, its certificate in the Secret `cert` unless `change` says otherwise.
    static func tlsServer(
        _ hosts: [String] = ["*"], port: Int = 443, _ portProtocol: Gateway.PortProtocol = .https,
        name: String = "https", bind: String? = nil,
        _ change: (inout Gateway.TLS) -> Void = { $0.credentialName = "cert" }
    ) -> Gateway.Server {
        var server = server(hosts, port: port, portProtocol, bind: bind)
        server.port.name = name
        var tls = Gateway.TLS()
        tls.mode = .simple
        change(&tls)
        server.tls = tls
        return server
    }

    /// A Secret named `cert`.
    static func secret(namespace: String = "default", _ values: [String: String]) -> Resource {
        secret("cert", namespace: namespace, values)
    }

    static func secret(_ name: String, namespace: String = "default", _ values: [String: String]) -> Resource {
        var secret = Secret()
        secret.data = values.mapValues { Array($0.utf8) }
        return resource(.secret, name, namespace, .secret(secret))
    }

    /// A Secret as cert-manager writes it, named `cert`.
    static func secret(namespace: String = "default", _ pair: (certificate: String, key: String)) -> Resource {
        secret("cert", namespace: namespace, pair)
    }

    static func secret(
        _ name: String, namespace: String = "default", _ pair: (certificate: String, key: String)
    ) -> Resource {
        secret(name, namespace: namespace, ["tls.crt": pair.certificate, "tls.key": pair.key])
    }
}

/// Files that hold what a test says.
final class FakeFiles: ReferencedFiles {
    private(set) var version = 0
    private var keptFor: [ReferencedFileUser: Set<String>] = [:]
    var kept: Set<String> { keptFor.values.reduce(into: []) { $0.formUnion($1) } }
    private var contents: [String: ReferencedFile] = [:]

    subscript(path: String) -> String? {
        get { nil }
        set {
            contents[path] = newValue.map { .content(Array($0.utf8)) }
            version += 1
        }
    }

    func refuse(_ path: String, _ reason: String) {
        contents[path] = .unreadable(reason)
        version += 1
    }

    func content(of path: String) -> ReferencedFile { contents[path] ?? .missing }
    func keep(_ paths: Set<String>, for user: ReferencedFileUser) { keptFor[user] = paths }
}

extension Compilation {
    /// Servers of TLS by their first name: subjects of what they show, or `out`.
    var servers: [String] {
        snapshot.listeners.flatMap { listener in
            listener.servers.map { server in
                let shown = server.contexts?.certificates.map(\.subject).joined(separator: " ") ?? "out"
                return "\(listener.port) \(server.patterns.joined(separator: " ")): \(shown)"
            }
        }
    }

    func contexts(_ index: Int = 0) -> TLSServerContexts? {
        snapshot.listeners.flatMap(\.servers)[index].contexts
    }

    /// Sources of credentials with their state.
    var credentials: [String] {
        certificates.map {
            "\($0.source.name) \($0.source.kind.rawValue) \($0.state.rawValue)\($0.isInUse ? "" : " unused")"
        }
    }
}

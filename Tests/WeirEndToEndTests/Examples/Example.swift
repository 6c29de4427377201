import Foundation
import Testing
import WeirServer
import WeirTestSupport

/// The files in `config/`, served with a test's own backends.
enum Example {
    static let directory = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "config").path

    static let names = [
        "bookinfo-50-50.yaml", "canary-90-10.yaml", "cors.yaml", "delegates.yaml", "end-user-header.yaml",
        "feature-branches.yaml", "headers.yaml", "matches.yaml", "names.yaml", "redirects.yaml", "rewrites.yaml",
        "service-names.yaml", "sticky-users.yaml", "timeouts-and-retries.yaml",
    ]

    /// An example's text with its backends' ports exchanged for the origins'.
    static func text(_ name: String, _ ports: [Int]) throws -> String {
        var text = try String(contentsOfFile: directory + "/" + name, encoding: .utf8)
        for (index, port) in ports.enumerated() {
            text = text.replacingOccurrences(of: "http: \(9081 + index)\n", with: "http: \(port)\n")
        }
        return text
    }

    static func text(_ name: String, _ backends: Backends) throws -> String { try text(name, backends.ports) }

    /// Serves an example; its Gateway's port is mapped.
    static func server(
        _ name: String, ports: [Int], edit: (String) -> String = { $0 },
        configure: (inout ServerOptions) -> Void = { _ in }
    ) throws -> RunningServer {
        let directory = try TemporaryDirectory()
        try directory.write(name, edit(try text(name, ports)))
        let server = try RunningServer.live(directory, ports: [8080], configure: configure)
        #expect(try server.status().problems.map(\.message) == [], "\(name) is free of mistakes")
        return server
    }

    static func server(_ name: String, _ backends: Backends) throws -> RunningServer {
        try server(name, ports: backends.ports)
    }
}

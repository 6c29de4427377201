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
        "bookinfo-50-50.yaml", "canary-90-10.yaml", "circuit-breaking.yaml", "cors.yaml", "delegates.yaml",
        "end-user-header.yaml", "faults.yaml", "feature-branches.yaml", "grpc.yaml", "headers.yaml", "locality.yaml",
        "matches.yaml", "mirroring.yaml", "mutual-tls.yaml", "names.yaml", "outlier-detection.yaml", "passthrough.yaml",
        "redirects.yaml", "retries.yaml", "rewrites.yaml", "service-names.yaml", "sticky-users.yaml", "tcp.yaml",
        "timeouts-and-retries.yaml", "tls.yaml", "upstream-tls.yaml", "websocket.yaml",
    ]

    /// An example's text with its backends' ports exchanged for the origins'.
    static func text(_ name: String, _ ports: [Int]) throws -> String {
        var text = try String(contentsOfFile: directory + "/" + name, encoding: .utf8)
        for (index, port) in ports.enumerated() {
            text = text.replacingOccurrences(of: ": \(9081 + index)\n", with: ": \(port)\n")
        }
        return text
    }

    static func text(_ name: String, _ backends: Backends) throws -> String { try text(name, backends.ports) }

    /// Serves an example, and files beside it; its Gateway's ports are mapped.
    static func server(
        _ name: String, ports: [Int], entries: [Int] = [8080], beside: [String: String] = [:],
        edit: (String) -> String = { $0 }, configure: (inout ServerOptions) -> Void = { _ in }
    ) throws -> RunningServer {
        let directory = try TemporaryDirectory()
        for (file, text) in beside { try directory.write(file, text) }
        try directory.write(name, edit(try text(name, ports)))
        let server = try RunningServer.live(directory, ports: entries, configure: configure)
        #expect(try server.status().problems.map(\.message) == [], "\(name) is free of mistakes")
        return server
    }

    static func server(_ name: String, _ backends: Backends) throws -> RunningServer {
        try server(name, ports: backends.ports)
    }
}

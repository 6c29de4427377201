import Foundation
import WeirTestSupport

/// `/status` as a client reads it.
struct StatusDocument: Decodable {
    struct Listener: Decodable {
        var port: Int
        var localPort: Int
        var listening: Bool
        var problem: String?
    }

    struct Problem: Decodable {
        var code: String
        var severity: String
        var resource: String?
        var path: String?
        var file: String?
        var line: Int?
        var message: String
    }

    struct File: Decodable {
        var path: String
        var documents: Int
        var resources: Int
        var kept: Int
    }

    var version: String
    var generation: UInt64
    var ready: Bool
    var draining: Bool
    var workers: Int
    var resources: [String: Int]
    var listeners: [Listener]
    var problems: [Problem]
    var files: [File]

    /// What is wrong, without remarks.
    var errors: [Problem] { problems.filter { $0.severity == "error" } }
}

/// `/config_dump` as a client reads it.
struct ConfigDumpDocument: Decodable {
    struct Listener: Decodable {
        var port: Int
        var hosts: [Host]
    }

    struct Host: Decodable {
        var host: String
        var routes: [Route]
    }

    struct Route: Decodable {
        struct Destination: Decodable {
            var cluster: String
            var weight: Int
            var missing: Bool?
        }

        var name: String?
        var match: [String]
        var destinations: [Destination]
        var resource: String
        var file: String
        var line: Int
    }

    struct Cluster: Decodable {
        struct Endpoint: Decodable {
            var address: String
            var weight: Int
        }

        var name: String
        var balancer: String
        var endpoints: [Endpoint]
    }

    var generation: UInt64
    var listeners: [Listener]
    var clusters: [Cluster]
}

extension RunningServer {
    func status() throws -> StatusDocument { try json("/status") }
    func configDump() throws -> ConfigDumpDocument { try json("/config_dump") }

    private func json<Document: Decodable>(_ target: String) throws -> Document {
        let answer = try admin(target)
        guard answer.status == 200, answer["content-type"] == "application/json" else {
            throw TestSocketError(description: "\(target): \(answer.startLine), \(answer["content-type"] ?? "no type")")
        }
        return try JSONDecoder().decode(Document.self, from: Data(answer.body))
    }
}

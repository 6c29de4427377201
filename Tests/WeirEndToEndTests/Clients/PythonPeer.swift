import Foundation
import Testing
import WeirTestSupport

/// A service of another implementation that runs as a process: one of the scripts in `Tests/Peers`.
struct PythonPeer {
    private static let scripts = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(path: "Peers")
        .path

    let port: Int
    private let process: ChildProcess

    /// Starts a script that prints the port it listens on.
    init(service script: String) throws {
        let process = try Self.start(script, [])
        var port: Int?
        try eventually("\(script) listens; it said: \(process.errors)", seconds: 60) {
            port = Int(process.output.trimmingCharacters(in: .whitespacesAndNewlines))
            return port != nil || process.errors.contains("Error")
        }
        self.port = try #require(port, "\(process.errors)")
        self.process = process
    }

    /// Runs a script that prints a line for each of its cases, `NAME ok` or what failed.
    static func outcomes(client script: String, _ arguments: [String]) throws -> [String: String] {
        let process = try start(script, arguments)
        let status = try process.end(seconds: 600)
        #expect(status == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1) }
        return Dictionary(lines.map { (String($0[0]), String($0.last ?? "")) }) { $1 }
    }

    private static func start(_ script: String, _ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(try interpreter.get(), ["-B", "\(scripts)/\(script)"] + arguments)
    }

    /// A Python that has the libraries: one's own, or Debian's with the packages that `.ci/deps` installs.
    private static let interpreter = Result<String, any Error> {
        var said = ""
        for candidate in [try? Tool("python3").path, "/usr/bin/python3"].compactMap(\.self) {
            let check = try ChildProcess(candidate, ["-c", "import grpc, websockets"])
            if try check.end(seconds: 60) == 0 { return candidate }
            said += "\n\(candidate): \(check.errors)"
        }
        throw TestSocketError(description: "no python3 has grpc and websockets; `make deps` installs them\(said)")
    }
}

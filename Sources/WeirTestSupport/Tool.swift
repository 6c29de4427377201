import Foundation
import Glibc

/// A program of the system that tests drive; `.ci/deps`, and with it `make test`, installs those that are missing.
package struct Tool: Sendable {
    /// What a finished program said.
    package struct Outcome: Sendable {
        package let status: Int32
        package let output: String
        package let errors: String
    }

    package let path: String

    /// Found on the PATH; throws what to do when it is not there.
    package init(_ name: String) throws {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let candidates = (folders + ["/usr/bin", "/bin"]).map { $0 + "/" + name }
        guard let path = candidates.first(where: { access($0, X_OK) == 0 }) else {
            throw TestSocketError(description: "\(name) is not installed; `make deps` does that")
        }
        self.path = path
    }

    /// Runs it to its end with an empty input.
    package func run(_ arguments: [String], seconds: Double = 60) throws -> Outcome {
        let process = try ChildProcess(path, arguments)
        let status = try process.end(seconds: seconds)
        return Outcome(status: status, output: process.output, errors: process.errors)
    }

    /// Runs it to its end with this input, which must not be larger than a pipe holds.
    package func run(_ arguments: [String], input: String, seconds: Double = 60) throws -> Outcome {
        let shell = try Tool("sh")
        return try shell.run(
            ["-c", #"text=$1; shift; printf %s "$text" | "$@""#, "sh", input, path] + arguments, seconds: seconds)
    }
}

import ArgumentParser
import WeirServer

/// The command `weir`.
@main
struct Weir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir", abstract: "An ingress proxy that serves Istio's traffic resources without Istio.",
        version: "weir \(weirVersion)",
        subcommands: [
            Serve.self, Analyze.self, Routes.self, Clusters.self, Endpoints.self, Listeners.self, Secrets.self,
            Log.self,
            Healthcheck.self,
            Demo.self, Version.self,
        ])
}

/// `weir version`.
struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() { print("weir \(weirVersion)") }
}

extension ExitStatus {
    /// Ends the command with this status.
    var exitCode: ExitCode { ExitCode(rawValue) }
}

/// Reads an option's value; what is wrong with it becomes a usage error.
func optionValue<Value>(_ read: () throws(OptionError) -> Value) throws -> Value {
    do throws(OptionError) {
        return try read()
    } catch {
        throw ValidationError(error.description)
    }
}

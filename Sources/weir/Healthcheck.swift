import ArgumentParser
import WeirServer

/// `weir healthcheck`.
struct Healthcheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a running server whether it is ready.",
        discussion: """
            Exit status 0 when ready; 1 otherwise, with the reason on stderr. For probes in images without a shell.
            """)

    @Option(help: ArgumentHelp("Where the server's health port is.", valueName: "host:port"))
    var health = "127.0.0.1:15021"

    func validate() throws { _ = try address() }

    func run() throws {
        let outcome = HealthProbe.ask(try address())
        guard !outcome.isReady else { return print("ready") }
        print("not ready")
        StandardStreams.complain(outcome.text)
        throw ExitStatus.failure.exitCode
    }

    private func address() throws -> HostPort {
        let address = try optionValue { () throws(OptionError) in try HostPort(health) }
        guard address.port > 0 else { throw ValidationError("--health needs a port other than 0.") }
        return address
    }
}

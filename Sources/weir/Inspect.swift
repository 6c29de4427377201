import ArgumentParser
import WeirServer

/// Where the running process is, and how its answer is shown.
struct InspectOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Admin address of the running process.", valueName: "host:port"))
    var admin = "127.0.0.1:15000"

    @Option(name: .shortAndLong, help: ArgumentHelp("How the answer is shown.", valueName: "table|json"))
    var output = Inspection.Output.table

    func validate() throws { _ = try address() }

    /// Prints what was found; exit status 1 with the reason on standard error.
    func show(_ find: (Inspection) throws(CommandFailure) -> String) throws {
        let inspection = Inspection(admin: try address())
        do throws(CommandFailure) {
            StandardStreams.print(try find(inspection))
        } catch {
            StandardStreams.complain(error.description)
            throw ExitStatus.failure.exitCode
        }
    }

    private func address() throws -> HostPort {
        let address = try optionValue { () throws(OptionError) in try HostPort(admin) }
        guard address.port > 0 else { throw ValidationError("--admin needs a port other than 0.") }
        return address
    }
}

extension Inspection.Output: ExpressibleByArgument {}

/// `weir routes`.
struct Routes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the routes of a running process in the order requests are tried on them.",
        discussion: """
            Routes of all VirtualServices of a host are shown merged, with the file and line they come from. A route marked \
            SHADOWED is never reached: the one named takes every request it could take.
            """)

    @OptionGroup var options: InspectOptions

    @Option(help: ArgumentHelp("Only this route table, such as http.80.", valueName: "name"))
    var name: String?

    @Option(help: ArgumentHelp("Only this virtual host, as its domain is written.", valueName: "domain"))
    var host: String?

    @Flag(help: "Only routes that no request reaches.")
    var shadowed = false

    func run() throws {
        let filter = ListingFilter(["name": name, "host": host, "shadowed": shadowed ? "true" : nil])
        try options.show { inspection throws(CommandFailure) in
            try inspection.list(.routes, filter, as: options.output)
        }
    }
}

/// `weir clusters`.
struct Clusters: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the clusters a running process routes to.")

    @OptionGroup var options: InspectOptions

    @Option(help: ArgumentHelp("Only services whose full name holds this text.", valueName: "text"))
    var fqdn: String?

    @Option(help: ArgumentHelp("Only this port.", valueName: "n"))
    var port: Int?

    @Option(help: ArgumentHelp("Only this subset.", valueName: "name"))
    var subset: String?

    @Option(help: ArgumentHelp("Only this direction; there is outbound alone.", valueName: "direction"))
    var direction: String?

    func run() throws {
        let filter = ListingFilter([
            "fqdn": fqdn, "port": port.map(String.init), "subset": subset, "direction": direction,
        ])
        try options.show { inspection throws(CommandFailure) in
            try inspection.list(.clusters, filter, as: options.output)
        }
    }
}

/// `weir endpoints`.
struct Endpoints: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the endpoints of a running process, with their requests and connections.")

    @OptionGroup var options: InspectOptions

    @Option(help: ArgumentHelp("Only this cluster: outbound|<port>|<subset>|<fqdn>.", valueName: "name"))
    var cluster: String?

    @Option(help: ArgumentHelp("Only this IP address.", valueName: "address"))
    var address: String?

    @Option(help: ArgumentHelp("Only this port.", valueName: "n"))
    var port: Int?

    @Option(help: ArgumentHelp("Only endpoints in this status.", valueName: "healthy|unhealthy"))
    var status: String?

    func run() throws {
        let filter = ListingFilter([
            "cluster": cluster, "address": address, "port": port.map(String.init), "status": status,
        ])
        try options.show { inspection throws(CommandFailure) in
            try inspection.list(.endpoints, filter, as: options.output)
        }
    }
}

/// `weir listeners`.
struct Listeners: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the listeners of a running process.")

    @OptionGroup var options: InspectOptions

    @Option(help: ArgumentHelp("Only this address; * = all addresses.", valueName: "address"))
    var address: String?

    @Option(help: ArgumentHelp("Only this port, as the Gateway declares it.", valueName: "n"))
    var port: Int?

    func run() throws {
        let filter = ListingFilter(["address": address, "port": port.map(String.init)])
        try options.show { inspection throws(CommandFailure) in
            try inspection.list(.listeners, filter, as: options.output)
        }
    }
}

/// `weir secrets`.
struct Secrets: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the certificates that a running process serves and trusts.",
        discussion: """
            Where each comes from, whether its present edition can be used, until when it is valid and which servers name it. \
            Private keys are never shown.
            """)

    @OptionGroup var options: InspectOptions

    @Option(
        help: ArgumentHelp("Only Secrets (namespace/name) and files whose name holds this text.", valueName: "text"))
    var name: String?

    @Option(help: ArgumentHelp("Only this type.", valueName: "'cert chain'|ca"))
    var type: String?

    @Option(help: ArgumentHelp("Only those in this status.", valueName: "active|missing|broken"))
    var status: String?

    func run() throws {
        let filter = ListingFilter(["name": name, "type": type, "status": status])
        try options.show { inspection throws(CommandFailure) in
            try inspection.list(.secrets, filter, as: options.output)
        }
    }
}

/// `weir log`.
struct Log: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show or change the log levels of a running process.",
        discussion: "Changes last until the process ends; `weir serve --log-level` sets what it starts with.")

    @OptionGroup var options: InspectOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A level for all loggers, or NAME=LEVEL for one; several joined with commas. Repeatable.",
            valueName: "level|name=level"))
    var level: [String] = []

    func validate() throws { _ = try changes() }

    func run() throws {
        let changes = try changes()
        try options.show { inspection throws(CommandFailure) in
            try inspection.logLevels(changes, as: options.output)
        }
    }

    private func changes() throws -> [LogChange] {
        try level.flatMap { text in try optionValue { () throws(OptionError) in try LogChange.list(text) } }
    }
}

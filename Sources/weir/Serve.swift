import ArgumentParser
import FoundationEssentials
import Glibc
import WeirServer

/// `weir serve`.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the Gateways, VirtualServices and DestinationRules found in files.",
        discussion: """
            SIGHUP reads everything again and reopens the access log. SIGTERM and SIGINT drain and end; a second one ends at once.
            Exit status: 0 good, 1 run-time failure, 64 usage, 78 no usable configuration at start.
            """)

    @Option(name: .long, help: ArgumentHelp("File or directory of YAML; watched. Repeatable.", valueName: "path"))
    var config: [String]

    @Option(
        help: ArgumentHelp(
            "Admin API: /ready, /status, /config_dump, /stats/prometheus. Port 0 picks one and prints it.",
            valueName: "host:port"))
    var admin = "127.0.0.1:15000"

    @Option(help: ArgumentHelp("/healthz/ready and /healthz/live, or off.", valueName: "host:port|off"))
    var health = "0.0.0.0:15021"

    @Option(help: ArgumentHelp("/stats/prometheus, or off.", valueName: "host:port|off"))
    var metrics = "0.0.0.0:15090"

    @Option(help: ArgumentHelp("Worker threads. Default: the CPU limit of the cgroup, rounded up.", valueName: "n"))
    var workers: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("Listen on another port for a Gateway port, as 80=8080. Repeatable.", valueName: "port=port")
    )
    var listenMap: [String] = []

    @Option(help: ArgumentHelp("Address to listen on. Default: all, IPv4 and IPv6.", valueName: "address"))
    var bind: String?

    @Option(help: ArgumentHelp("Seconds to keep accepting after SIGTERM.", valueName: "seconds"))
    var drainDelay = 0.0

    @Option(help: ArgumentHelp("Seconds until connections that are left are cut.", valueName: "seconds"))
    var drainSeconds = 20.0

    @Option(help: ArgumentHelp("The server response header; pass keeps the upstream's.", valueName: "name|pass"))
    var serverName = "weir"

    @Option(
        help: ArgumentHelp(
            "Proxies in front that are trusted: the client is so many addresses from the right of x-forwarded-for.",
            valueName: "n"))
    var trustedHops = 0

    @OptionGroup(title: "Binding")
    var binding: BindingFlags

    @Flag(name: .customLong("http10"), help: "Serve HTTP/1.0 requests instead of answering 426.")
    var acceptsHTTP10 = false

    @Flag(help: "Let the host of mirrored requests end in -shadow, as Istio did up to 1.27.")
    var mirrorShadowSuffix = false

    @Option(
        help: ArgumentHelp(
            "A line for each request: to a file, to standard output (-), or off.", valueName: "file|-|off"))
    var accessLog = "off"

    @Option(
        help: ArgumentHelp(
            "Istio's text or json, or a format with Envoy's operators; one that begins with { gives JSON.",
            valueName: "text|json|format"))
    var accessLogFormat = "text"

    @Option(
        help: ArgumentHelp(
            "Unix socket: listening sockets are taken over there from the process that serves, and handed to the next.",
            valueName: "path"))
    var takeover: String?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel = "info"

    func validate() throws { _ = try options() }

    func run() throws {
        StandardStreams.fillGaps()
        let options = try options()
        var hooks = ServerHooks()
        if options.admin.port == 0 {
            hooks.adminListening = { address in
                print("admin \(address)")
                fflush(nil)
            }
        }
        let status = Bootstrap(options: options, hooks: hooks).run()
        if status != .success { throw status.exitCode }
    }

    /// The command line as the server takes it.
    func options() throws -> ServerOptions {
        var options = ServerOptions(configPaths: config)
        options.admin = try optionValue { () throws(OptionError) in try HostPort(admin) }
        options.health = try optionValue { () throws(OptionError) in try OptionValue.addressOrOff(health) }
        options.metrics = try optionValue { () throws(OptionError) in try OptionValue.addressOrOff(metrics) }
        options.source = SourceIdentity.labels(ProcessInfo.processInfo.environment)
        if let workers {
            guard (1...1024).contains(workers) else { throw ValidationError("--workers must be 1 to 1024.") }
            options.workers = workers
        }
        options.portMap = try optionValue { () throws(OptionError) in try OptionValue.portMap(listenMap) }
        if let bind, !HostPort.isNumeric(bind) {
            throw ValidationError("'\(bind)' is no address. Write --bind with an IPv4 or IPv6 address.")
        }
        options.bind = bind
        guard (0...86400).contains(drainDelay), (0...86400).contains(drainSeconds) else {
            throw ValidationError("--drain-delay and --drain-seconds must be 0 to 86400.")
        }
        options.drainDelaySeconds = drainDelay
        options.drainSeconds = drainSeconds
        options.serverName = try optionValue { () throws(OptionError) in try OptionValue.serverName(serverName) }
        options.acceptsHTTP10 = acceptsHTTP10
        options.trustedHops = try optionValue { () throws(OptionError) in try OptionValue.trustedHops(trustedHops) }
        options.mirrorShadowSuffix = mirrorShadowSuffix
        options.binding = try binding.options()
        if let locality = ProcessInfo.processInfo.environment["WEIR_LOCALITY"], !locality.isEmpty {
            options.binding.locality = try optionValue { () throws(OptionError) in try OptionValue.locality(locality) }
        }
        options.accessLog = try optionValue { () throws(OptionError) in try AccessLogTarget(accessLog) }
        options.accessLogFormat = try optionValue { () throws(OptionError) in
            try OptionValue.accessLogFormat(accessLogFormat)
        }
        if let takeover {
            options.takeoverPath = try optionValue { () throws(OptionError) in
                try OptionValue.takeoverPath(takeover)
            }
        }
        options.logLevel = try optionValue { () throws(OptionError) in try OptionValue.logLevel(logLevel) }
        return options
    }
}

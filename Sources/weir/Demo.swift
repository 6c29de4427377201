import ArgumentParser
import WeirServer

/// `weir demo`.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "An ingress with three backends and sample traffic, in one process.",
        discussion: """
            Splits /reviews 50/50 between two versions of the bookinfo reviews service, by the YAML it prints and \
            whose file can be edited while it runs.
            """)

    @Flag(help: "End after the sample traffic; exit status 1 unless the split is within 45 to 55 %.")
    var once = false

    @Option(help: ArgumentHelp("Port of the ingress. Default: 8080, or a free one.", valueName: "n"))
    var port: Int?

    func validate() throws {
        if let port, !(1...65535).contains(port) { throw ValidationError("--port must be 1 to 65535.") }
    }

    func run() throws {
        let status = BookinfoDemo(once: once, port: port).run()
        if status != .success { throw status.exitCode }
    }
}

import ArgumentParser
import Glibc
import WeirServer

/// `weir analyze`.
struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check configuration files, alone and against each other, without a running process.",
        discussion: """
            Messages have istioctl's form and codes. Exit status: 0 good, 79 when a message reaches the failure threshold, \
            1 when a path does not exist, 64 usage.
            """)

    @Argument(help: ArgumentHelp("Files and directories of YAML; - reads standard input.", valueName: "path"))
    var paths: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("How messages are printed.", valueName: "log|json|yaml"))
    var output = AnalysisOptions.Output.log

    @Option(
        name: [.customShort("S"), .long],
        help: ArgumentHelp(
            "Leave a code out for resources of a name, such as \"IST0101=VirtualService *.shop\". Repeatable.",
            valueName: "code=kind name.namespace"))
    var suppress: [String] = []

    @Option(help: ArgumentHelp("Level from which on the exit status is 79.", valueName: "info|warning|error"))
    var failureThreshold = "Error"

    @Option(help: ArgumentHelp("Level from which on messages are printed.", valueName: "info|warning|error"))
    var outputThreshold = "Info"

    @Option(help: ArgumentHelp("Colour the levels. Default: on a terminal.", valueName: "true|false"))
    var color: Bool?

    @Flag(name: [.customShort("R"), .long], help: "Read the directories in directories too.")
    var recursive = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Namespace of resources that name none. Default: default.", valueName: "name"))
    var namespace = "default"

    @Flag(help: "Say nothing of documents that are no configuration.")
    var ignoreUnknown = false

    @Flag(name: [.customShort("L"), .long], help: "List the analyzers, and what each looks at and reports.")
    var listAnalyzers = false

    @Flag(name: [.customShort("A"), .long], help: "All namespaces; files are always looked at whole.")
    var allNamespaces = false

    @Option(
        name: [.customShort("k"), .long],
        help: ArgumentHelp("Only false: files alone are looked at.", valueName: "false"))
    var useKube = false

    @OptionGroup(title: "The gateway, as weir serve is told of it")
    var binding: BindingFlags

    func validate() throws { _ = try options() }

    func run() throws {
        if listAnalyzers { return StandardStreams.print(AnalyzerList.text) }
        let result = ConfigurationAnalysis(try options()).run()
        StandardStreams.print(result.output)
        for remark in result.remarks { StandardStreams.complain(remark) }
        if result.status != .success { throw result.status.exitCode }
    }

    /// The command line as the analysis takes it.
    func options() throws -> AnalysisOptions {
        guard listAnalyzers || !paths.isEmpty else {
            throw ValidationError("Name at least one file or directory, or - for standard input.")
        }
        guard !useKube else { throw ValidationError("--use-kube is not there: name the files to look at.") }
        var options = AnalysisOptions()
        options.paths = paths
        options.output = output
        options.isColoured = color ?? (isatty(STDOUT_FILENO) == 1)
        options.failureThreshold = try level(failureThreshold, "--failure-threshold")
        options.outputThreshold = try level(outputThreshold, "--output-threshold")
        options.suppressions = try suppress.map { text in
            try optionValue { () throws(OptionError) in try AnalysisSuppression(text) }
        }
        options.isRecursive = recursive
        options.ignoresUnknown = ignoreUnknown
        options.namespace = namespace
        options.binding = try binding.options()
        return options
    }

    private func level(_ text: String, _ option: String) throws -> AnalysisLevel {
        guard let level = AnalysisLevel(name: text) else {
            throw ValidationError("\(option) must be info, warning or error.")
        }
        return level
    }
}

extension AnalysisOptions.Output: ExpressibleByArgument {}

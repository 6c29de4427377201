import Logging
package import WeirConfig
package import WeirEngine

/// Something the operator should mend, as `/status` and the log tell it.
package struct Problem: Sendable, Hashable, Encodable {
    package var code: String
    /// `error`, `warning` or `info`.
    package var severity: String
    /// `Kind namespace/name`.
    package var resource: String?
    /// Field path in the resource.
    package var path: String?
    package var file: String?
    package var line: Int?
    package var message: String

    package init(_ diagnostic: Diagnostic) {
        code = diagnostic.code.rawValue
        severity = diagnostic.severity.rawValue
        resource = diagnostic.resource?.description
        path = diagnostic.path.isEmpty ? nil : diagnostic.path
        file = diagnostic.location.file
        line = diagnostic.location.line
        message = diagnostic.message
    }

    /// A port that could not be listened on, told at the first server that declares it.
    package init(_ listener: ListenerProblem, resources: ResourceSet) {
        code = DiagnosticCode.portUnavailable.rawValue
        severity = Diagnostic.Severity.error.rawValue
        if listener.isLiteral {
            message = """
                Port \(listener.localPort) of --mesh-listen cannot be listened on: \(listener.message). \
                Free the port, or give another.
                """
            return
        }
        let mapped = listener.localPort == listener.port ? "" : " (for Gateway port \(listener.port))"
        message = """
            Port \(listener.localPort)\(mapped) cannot be listened on: \(listener.message). \
            Free the port, or map it with --listen-map \(listener.port)=PORT.
            """
        for gateway in resources.resources(of: .gateway) {
            guard case .gateway(let spec) = gateway.spec,
                let index = spec.servers.firstIndex(where: { $0.port.number == listener.port })
            else { continue }
            resource = gateway.id.description
            path = "spec.servers[\(index)].port.number"
            file = gateway.location.file
            line = spec.servers[index].line > 0 ? spec.servers[index].line : gateway.location.line
            return
        }
    }
}

/// Logs problems when they appear and when they are gone, not at every reload.
///
/// Control thread only.
struct ProblemLog {
    /// Lines of one reload; a directory full of mistakes must not flood the log.
    ///
    /// `/status` has all.
    static let lineLimit = 100

    private var known: Set<Problem> = []

    mutating func report(_ problems: [Problem], to log: Logger) {
        let current = Set(problems)
        var told: Set<Problem> = []
        var fresh: [Problem] = []
        for problem in problems where !known.contains(problem) && told.insert(problem).inserted {
            fresh.append(problem)
        }
        for problem in fresh.prefix(Self.lineLimit) {
            log.log(level: problem.level, "\(problem.message)", metadata: problem.metadata)
        }
        if fresh.count > Self.lineLimit {
            log.warning("more problems are listed at /status", metadata: ["count": "\(fresh.count - Self.lineLimit)"])
        }
        let resolved = known.subtracting(current).sorted {
            ($0.file ?? "", $0.line ?? 0) < ($1.file ?? "", $1.line ?? 0)
        }
        for problem in resolved.prefix(Self.lineLimit) {
            log.info("resolved: \(problem.message)", metadata: problem.metadata)
        }
        known = current
    }
}

extension Problem {
    var isError: Bool { severity == Diagnostic.Severity.error.rawValue }

    fileprivate var level: Logger.Level {
        switch Diagnostic.Severity(rawValue: severity) {
        case .error: .error
        case .warning: .warning
        case .info, nil: .info
        }
    }

    fileprivate var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["code": "\(code)"]
        if let file { metadata["at"] = "\(file):\(line ?? 1)" }
        if let resource { metadata["resource"] = "\(resource)" }
        if let path { metadata["path"] = "\(path)" }
        return metadata
    }
}

package import Logging
import WeirEngine

/// `/logging`: the log levels of the running process, read with GET and changed with PUT or POST.
///
/// `?level=debug` changes all parts, `?config=debug&admin=warning` some. Nothing changes unless every name and level is
/// known.
struct LogSettings: Sendable {
    static let path = "/logging"

    /// The answer's body.
    struct Report: Codable, Equatable {
        /// Part to level.
        var loggers: [String: String]
    }

    private let levels: LogLevels
    private let log: Logger

    init(levels: LogLevels, log: Logger) {
        self.levels = levels
        self.log = log
    }

    func answer(_ request: LocalRequest) -> LocalResponse {
        switch request.method {
        case "GET", "HEAD": break
        case "PUT", "POST":
            do throws(OptionError) {
                try change(request.query)
            } catch {
                return .text(400, error.description)
            }
        default:
            return LocalResponse(
                status: 405, headers: [("allow", "GET, HEAD, PUT, POST")], body: Array("method not allowed\n".utf8))
        }
        return .json(report)
    }

    private var report: Report {
        Report(
            loggers: Dictionary(uniqueKeysWithValues: levels.all.map { ($0.part.rawValue, $0.level.rawValue) }))
    }

    private func change(_ query: String) throws(OptionError) {
        guard let items = QueryItems(query), !items.all.isEmpty else {
            throw OptionError("Write ?level=LEVEL or ?NAME=LEVEL. \(LogChange.known)")
        }
        var changes: [LogPart: Logger.Level] = [:]
        for item in items.all {
            let change = try LogChange(name: item.name == "level" ? nil : item.name, level: item.value)
            for part in change.parts { changes[part] = change.level }
        }
        levels.set(changes)
        let text = changes.map { "\($0.key.rawValue)=\($0.value.rawValue)" }.sorted().joined(separator: " ")
        log.notice("log levels changed", metadata: ["levels": "\(text)"])
    }
}

/// One change of log levels: all parts, or one.
package struct LogChange: Sendable, Equatable {
    package let parts: [LogPart]
    package let level: Logger.Level
    /// As the admin API takes it.
    let item: (name: String, value: String)

    /// The names and levels there are, as a refusal lists them.
    static var known: String {
        let names = LogPart.allCases.map(\.rawValue).sorted().joined(separator: ", ")
        let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        return "Names are \(names); levels are \(levels)."
    }

    /// `name` = `nil` means all parts.
    init(name: String?, level text: String) throws(OptionError) {
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw OptionError("'\(text)' is no log level. \(Self.known)")
        }
        self.level = level
        item = (name ?? "level", level.rawValue)
        guard let name else {
            parts = LogPart.allCases
            return
        }
        guard let part = LogPart(rawValue: name) else {
            throw OptionError("'\(name)' is no logger. \(Self.known)")
        }
        parts = [part]
    }

    /// Reads what `--level` takes: `debug`, `config=debug` or `config:debug`, several joined with commas.
    package static func list(_ text: String) throws(OptionError) -> [LogChange] {
        var changes: [LogChange] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = word.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "=" || $0 == ":" }
            changes.append(
                try LogChange(
                    name: sides.count > 1 ? String(sides[0]) : nil, level: String(sides[sides.count - 1])))
        }
        return changes
    }

    package static func == (one: LogChange, other: LogChange) -> Bool {
        one.parts == other.parts && one.level == other.level
    }
}

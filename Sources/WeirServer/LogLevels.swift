package import Logging
import WeirEngine

/// A part of the server whose messages have a level of their own.
package enum LogPart: String, Sendable, CaseIterable {
    /// Commands of the admin API that change something.
    case admin
    /// The access log's writer.
    case accessLog = "access-log"
    /// Configuration read, published and live, and what is wrong with it.
    case config
    /// Start, ports, signals, shutdown.
    case server
}

/// The levels in force, one a part; shared by all loggers of a process.
///
/// Any thread.
package final class LogLevels: Sendable {
    private let levels: Guarded<[LogPart: Logger.Level]>

    package init(_ level: Logger.Level) {
        levels = Guarded(Dictionary(uniqueKeysWithValues: LogPart.allCases.map { ($0, level) }))
    }

    /// In the order of the parts' names.
    package var all: [(part: LogPart, level: Logger.Level)] {
        let known = levels.withLock { $0 }
        return LogPart.allCases.sorted { $0.rawValue < $1.rawValue }.compactMap { part in
            known[part].map { (part, $0) }
        }
    }

    subscript(part: LogPart) -> Logger.Level { levels.withLock { $0[part] } ?? .info }

    /// All changes at once, so that nobody sees half of them.
    package func set(_ changes: [LogPart: Logger.Level]) {
        levels.withLock { $0.merge(changes) { $1 } }
    }

    /// The logger of a part: writes what `log` would write, at the part's level, and names the part.
    package func logger(_ part: LogPart, writingTo log: Logger) -> Logger {
        Logger(label: "weir.\(part.rawValue)") { _ in PartLog(part: part, levels: self, base: log.handler) }
    }
}

/// Lets through what the level of its part lets through.
private struct PartLog: LogHandler {
    private let part: LogPart
    private let levels: LogLevels
    private var base: any LogHandler
    /// Set on a copy of the logger alone; beats the part's level.
    private var ownLevel: Logger.Level?

    init(part: LogPart, levels: LogLevels, base: any LogHandler) {
        self.part = part
        self.levels = levels
        self.base = base
        self.base[metadataKey: "log"] = "\(part.rawValue)"
    }

    var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue }
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? levels[part] }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { base.log(event: event) }
}

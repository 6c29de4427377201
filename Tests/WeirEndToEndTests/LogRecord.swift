import Logging
import WeirEngine

/// Keeps what a server logs, a line a message.
final class LogRecord: Sendable {
    private let kept = Guarded<[String]>([])

    var lines: [String] { kept.withLock { $0 } }
    var text: String { lines.joined(separator: "\n") }

    /// Whether one line has all of these words.
    func hasLine(with words: String...) -> Bool {
        lines.contains { line in words.allSatisfy { line.contains($0) } }
    }

    func logger(_ level: Logger.Level) -> Logger {
        Logger(label: "test") { _ in Handler(record: self, logLevel: level) }
    }

    private struct Handler: LogHandler {
        let record: LogRecord
        var logLevel: Logger.Level
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            let values = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            record.kept.withLock { $0.append("\(event.level) \(event.message)" + values.joined()) }
        }
    }
}

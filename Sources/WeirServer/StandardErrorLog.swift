import Glibc
package import Logging
import WeirSources

/// The control plane's log: one line a message on standard error.
///
/// `2026-01-31T12:00:00.250Z warning message text key=value`. Values with spaces are quoted; line breaks become `\n`,
/// so a
/// message never takes two lines. Any thread; a line is one write.
package struct StandardErrorLog: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level

    package init(level: Logger.Level) { logLevel = level }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let line = Self.line(
            unixSeconds: SystemClock.unix, level: event.level, message: event.message.description,
            metadata: metadata.merging(event.metadata ?? [:]) { $1 })
        let bytes = Array(line.utf8)
        // A log that cannot be written must not stop the proxy.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    static func line(unixSeconds: Double, level: Logger.Level, message: String, metadata: Logger.Metadata) -> String {
        var line = "\(Timestamp.text(unixSeconds: unixSeconds)) \(level.rawValue) \(oneLine(message))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(quoted(value.description))" }
        return line + "\n"
    }

    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return text }
        var line = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: line += "?"
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line
    }

    private static func quoted(_ text: String) -> String {
        let plain = oneLine(text)
        guard plain.isEmpty || plain.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return plain }
        var escaped = ""
        for character in plain {
            if character == "\"" { escaped += "\\" }
            escaped.append(character)
        }
        return "\"\(escaped)\""
    }
}

extension Logger {
    /// The log of a process.
    package init(level: Logger.Level) {
        self.init(label: "weir") { _ in StandardErrorLog(level: level) }
    }
}

import Glibc

/// Moments as text for logs and reports.
enum Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-01-31T12:00:00.250Z`.
    static func text(unixSeconds: Double) -> String {
        let milliseconds = Int((unixSeconds - unixSeconds.rounded(.down)) * 1000)
        return "\(dateAndTime(unixSeconds)).\(padded(milliseconds, 3))Z"
    }

    /// The same in whole seconds: `2026-01-31T12:00:00Z`.
    static func text(unixSeconds: Int64) -> String { dateAndTime(Double(unixSeconds)) + "Z" }

    private static func dateAndTime(_ unixSeconds: Double) -> String {
        var seconds = time_t(unixSeconds.rounded(.down))
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let year = padded(Int(parts.tm_year) + 1900, 4)
        let date = "\(year)-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let time = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(time)"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

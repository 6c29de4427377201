import Glibc

/// How many workers fit the CPUs this process may use.
package enum WorkerCount {
    /// The CPU limit of the cgroup rounded up, at most the CPUs the process may run on, at least 1.
    package static func detected() -> Int {
        let usable = usableCPUs()
        guard let limit = cgroupLimit(memberships: text(of: "/proc/self/cgroup") ?? "", read: text) else {
            return usable
        }
        return max(1, min(usable, Int(limit.rounded(.up))))
    }

    /// The smallest CPU limit of the cgroups a process is in, in CPUs; `nil` = no limit.
    ///
    /// `memberships` is `/proc/self/cgroup`; `read` gives a file's text, or `nil` when there is none.
    static func cgroupLimit(memberships: String, read: (String) -> String?) -> Double? {
        var limits: [Double] = []
        for line in memberships.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[0] == "0", fields[1].isEmpty {
                for group in lineage(of: fields[2]) {
                    if let text = read("/sys/fs/cgroup\(group)/cpu.max"), let limit = limit(cpuMax: text) {
                        limits.append(limit)
                    }
                }
            } else if fields[1].split(separator: ",").contains("cpu") {
                for group in lineage(of: fields[2]) {
                    let directory = "/sys/fs/cgroup/\(fields[1])\(group)"
                    guard let quota = read(directory + "/cpu.cfs_quota_us"),
                        let period = read(directory + "/cpu.cfs_period_us"),
                        let limit = limit(quota: quota, period: period)
                    else { continue }
                    limits.append(limit)
                }
            }
        }
        return limits.min()
    }

    /// cgroup v2 `cpu.max`: `QUOTA PERIOD` in microseconds, or `max PERIOD` for no limit.
    static func limit(cpuMax: String) -> Double? {
        let words = cpuMax.split(whereSeparator: \.isWhitespace)
        guard words.count == 2 else { return nil }
        return limit(quota: String(words[0]), period: String(words[1]))
    }

    /// cgroup v1 `cpu.cfs_quota_us` (-1 = no limit) and `cpu.cfs_period_us`, in microseconds.
    static func limit(quota: String, period: String) -> Double? {
        func number(_ text: String) -> Double? {
            text.split(whereSeparator: \.isWhitespace).first.flatMap { Double($0) }
        }
        guard let quota = number(quota), let period = number(period), quota > 0, period > 0, quota.isFinite else {
            return nil
        }
        return quota / period
    }

    /// A group and those above it, each as a path suffix; the root is empty.
    ///
    /// A container sees its own group as the root.
    private static func lineage(of group: Substring) -> [String] {
        let names = group.split(separator: "/")
        return (0...names.count).map { count in names.prefix(count).map { "/" + $0 }.joined() }
    }

    private static func usableCPUs() -> Int {
        let online = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        return text(of: "/proc/self/status").flatMap(allowedCPUs).map { max(1, $0) } ?? online
    }

    /// The CPUs of the affinity mask, from the line `Cpus_allowed:` of `/proc/self/status`: hexadecimal words and
    /// commas.
    static func allowedCPUs(status: String) -> Int? {
        let name = "Cpus_allowed:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        var count = 0
        for digit in line.dropFirst(name.count) where digit != "," && !digit.isWhitespace {
            guard let bits = digit.hexDigitValue else { return nil }
            count += bits.nonzeroBitCount
        }
        return count
    }

    private static func text(of path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16384)
        let length = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<length], as: UTF8.self)
    }
}

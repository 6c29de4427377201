import Glibc
import WeirEngine

/// What the kernel knows of this process, under the names all Prometheus clients use.
///
/// Read when metrics are asked for; what cannot be read is left out.
struct ProcessMetrics {
    private var cpuSeconds: Double?
    private var residentBytes: Double?
    private var virtualBytes: Double?
    private var openDescriptors: Double?
    private var maxDescriptors: Double?
    private var startSeconds: Double?

    static func read() -> ProcessMetrics {
        var metrics = ProcessMetrics()
        metrics.readStat()
        metrics.readDescriptors()
        return metrics
    }

    /// `/proc/self/stat`; the fields are counted behind the command, which may hold anything.
    private mutating func readStat() {
        guard let stat = Self.text("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 21 else { return }
        // Field numbers of proc(5) less the three up to the command and its state's place.
        func field(_ number: Int) -> Double? { Double(fields[number - 3]) }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        if let user = field(14), let system = field(15) { cpuSeconds = (user + system) / ticks }
        virtualBytes = field(23)
        residentBytes = field(24).map { $0 * Double(sysconf(Int32(_SC_PAGESIZE))) }
        if let started = field(22), let boot = Self.bootSeconds { startSeconds = boot + started / ticks }
    }

    private static var bootSeconds: Double? {
        guard let stat = text("/proc/stat") else { return nil }
        for line in stat.split(separator: "\n") where line.hasPrefix("btime ") { return Double(line.dropFirst(6)) }
        return nil
    }

    private mutating func readDescriptors() {
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            maxDescriptors = Double(limit.rlim_cur)
        }
        guard let directory = opendir("/proc/self/fd") else { return }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) { if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 } }
        // One of them reads the directory.
        openDescriptors = Double(count - 1)
    }

    private static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 16384)
        while true {
            let length = Glibc.read(descriptor, &room, room.count)
            guard length > 0 else { break }
            bytes += room[..<length]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func write(into text: inout MetricText) {
        func single(_ name: StaticString, _ kind: MetricText.Kind, _ help: StaticString, _ value: Double?) {
            if let value { text.single(name, kind, help, value) }
        }
        single("process_cpu_seconds_total", .counter, "User and system CPU time spent.", cpuSeconds)
        single("process_resident_memory_bytes", .gauge, "Memory held in RAM.", residentBytes)
        single("process_virtual_memory_bytes", .gauge, "Address space taken.", virtualBytes)
        single("process_open_fds", .gauge, "Open file descriptors.", openDescriptors)
        single("process_max_fds", .gauge, "Most file descriptors that may be open.", maxDescriptors)
        single(
            "process_start_time_seconds", .gauge, "When the process started, in seconds since 1970.", startSeconds)
    }
}

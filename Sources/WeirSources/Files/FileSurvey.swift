import Glibc
import WeirConfig

/// Bounds of what is read from files.
package struct FileLimits: Sendable {
    /// Bytes of one file.
    package var fileBytes = 64 << 20
    /// Files of all paths together.
    package var files = 10_000

    package init() {}
}

/// Which files there are now and which directories tell when that changes.
///
/// Made anew by every look; reads no content.
struct FileSurvey {
    struct Found {
        /// As the user wrote it, plus the entry's name in a directory: what messages show.
        var path: String
        var trail: LinkTrail
        var stamp: FileStamp
    }

    /// What matters of a watched directory.
    struct Interest: Equatable {
        /// Entries that are links on the way to a file, or a path given by the user.
        var names: Set<String> = []
        /// Every configuration file in it counts.
        var isConfigDirectory = false

        func covers(_ name: String) -> Bool {
            names.contains(name) || isConfigDirectory && FileSurvey.isConfigFileName(name)
        }
    }

    /// In the order of the paths, sorted by name within each.
    private(set) var files: [Found] = []
    private(set) var interests: [String: Interest] = [:]
    private(set) var diagnostics: [Diagnostic] = []
    /// Directories (or unreachable paths) whose files are not known now: what they had stays.
    private(set) var lost: [String] = []
    /// A directory could not be listed for want of descriptors: worth another try soon.
    private(set) var isExhausted = false
    private let limits: FileLimits
    private var seen: Set<FileStamp.Identity> = []

    init(of paths: [String], limits: FileLimits, knownDirectories: Set<String>) {
        self.limits = limits
        for path in paths { look(at: path, wasDirectory: knownDirectories.contains(path)) }
    }

    /// `.yaml`, `.yml` and `.json`, but no hidden file and no editor's lock or backup.
    static func isConfigFileName(_ name: String) -> Bool {
        guard !name.hasPrefix("."), !name.hasPrefix("#") else { return false }
        return name.hasSuffix(".yaml") || name.hasSuffix(".yml") || name.hasSuffix(".json")
    }

    private mutating func look(at path: String, wasDirectory: Bool) {
        let trail = LinkTrail(following: path)
        watch(trail)
        switch PathState(of: path) {
        case .file(let stamp): add(Found(path: path, trail: trail, stamp: stamp))
        case .directory: list(path, resolved: trail.end)
        case .missing:
            // A file that was removed takes its resources along; a directory that vanished is an accident.
            if wasDirectory {
                lost.append(path)
                report(path, "The configuration directory is gone. Its resources stay in force until it is back.")
            } else {
                report(
                    path, "The configuration path does not exist. Create it, or correct --config.", severity: .warning)
            }
        case .other:
            report(path, "This is neither a file nor a directory. Correct --config.")
        case .unreachable(let code):
            lost.append(path)
            report(path, "The configuration path cannot be reached: \(String(cString: strerror(code))).")
        }
    }

    /// The entries of a directory itself; those of directories in it are not read.
    private mutating func list(_ path: String, resolved: String) {
        interests[resolved, default: Interest()].isConfigDirectory = true
        guard let stream = opendir(path) else {
            let code = errno
            lost.append(path)
            if Exhaustion.isMeant(by: code) { isExhausted = true }
            return report(path, "The directory cannot be listed: \(String(cString: strerror(code))).")
        }
        var names: [(name: String, isPlain: Bool)] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard Self.isConfigFileName(name) else { continue }
            names.append((name, entry.pointee.d_type == UInt8(DT_REG)))
        }
        closedir(stream)
        names.sort { $0.name < $1.name }
        let shown = path == "/" ? "" : path.hasSuffix("/") ? String(path.dropLast()) : path
        for (name, isPlain) in names {
            let place = resolved == "/" ? "/" + name : resolved + "/" + name
            let trail = isPlain ? LinkTrail(plain: place) : LinkTrail(following: place)
            if !isPlain { watch(trail) }
            guard case .file(let stamp) = PathState(of: place) else { continue }
            guard add(Found(path: shown + "/" + name, trail: trail, stamp: stamp)) else { return }
        }
    }

    /// `false` once there are too many.
    ///
    /// A file that two paths lead to is read once.
    @discardableResult
    private mutating func add(_ found: Found) -> Bool {
        guard files.count < limits.files else {
            report(
                found.path,
                "There are more than \(limits.files) files; this one and those after it are not read. Join some.")
            return false
        }
        if seen.insert(found.stamp.identity).inserted { files.append(found) }
        return true
    }

    private mutating func watch(_ trail: LinkTrail) {
        for place in trail.places {
            interests[LinkTrail.directory(of: place), default: Interest()].names.insert(LinkTrail.name(of: place))
        }
    }

    private mutating func report(_ path: String, _ message: String, severity: Diagnostic.Severity = .error) {
        diagnostics.append(
            Diagnostic(
                .unreadableFile, severity, location: SourceLocation(file: path, line: 1), message: message))
    }
}

private import CWeir
import Glibc

/// What tells one content of a file from the next without reading it.
struct FileStamp: Equatable {
    var device: UInt64
    var inode: UInt64
    var bytes: Int
    /// Nanoseconds since 1970.
    var modified: Int64

    /// Which file it is, whatever its path.
    struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    var identity: Identity { Identity(device: device, inode: inode) }

    fileprivate init(_ status: stat) {
        var info = status
        device = UInt64(info.st_dev)
        inode = UInt64(info.st_ino)
        bytes = Int(info.st_size)
        modified = weir_modified(&info)
    }

    /// Seconds since the last modification; negative when the clock was set back.
    func age(atUnix now: Double) -> Double { now - Double(modified) / 1e9 }
}

/// What a path leads to.
enum PathState: Equatable {
    case file(FileStamp)
    case directory
    /// A socket, a pipe or a device.
    case other
    case missing
    case unreachable(Int32)

    /// Follows links.
    init(of path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else {
            self = errno == ENOENT || errno == ENOTDIR ? .missing : .unreachable(errno)
            return
        }
        switch info.st_mode & S_IFMT {
        case S_IFREG: self = .file(FileStamp(info))
        case S_IFDIR: self = .directory
        default: self = .other
        }
    }

    /// Whether the entry itself is a plain file with one name, so that a writer will announce its end by closing it.
    static func isPlainFile(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG && info.st_nlink == 1
    }
}

/// Errors that pass by themselves.
enum Exhaustion {
    /// Whether descriptors or memory ran out, here or in the whole system.
    static func isMeant(by code: Int32) -> Bool { code == EMFILE || code == ENFILE || code == ENOMEM }
}

/// What reading a file came to.
enum FileReading {
    /// The stamp is from before the first byte was read, so a change meanwhile shows in the next one.
    case content([UInt8], FileStamp)
    /// Why not, and how to mend it.
    case refused(String)
    case missing
    /// Somebody has it open for writing: what is there may be half of what is meant.
    case beingWritten
    /// The system has nothing left to read it with; a later try may succeed.
    case exhausted(String)

    /// The break of a lease is told by SIGIO, whose default would end the process.
    private static let ignoresLeaseBreaks: Void = { _ = signal(SIGIO, SIG_IGN) }()

    /// What a file is read for: how to mend one that cannot be.
    enum Purpose {
        case configuration
        case certificate

        var adviceIfOther: String {
            switch self {
            case .configuration: "Remove it, or give it a name that does not end in .yaml, .yml or .json."
            case .certificate: "Name a file of PEM text."
            }
        }

        var adviceIfLarge: String {
            switch self {
            case .configuration: "Split it into several files."
            case .certificate: "Keep only the certificates that are needed."
            }
        }
    }

    /// Reads a regular file of at most `limit` bytes whole, while no writer may open it.
    ///
    /// Whether one has it open is known only of the process's own files (or with CAP_LEASE) on a local file system.
    init(of path: String, limit: Int, evenIfBeingWritten: Bool = false, _ purpose: Purpose = .configuration) {
        // Not blocking: a pipe in a file's place must not hold the control thread.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            let reason = "The file cannot be opened: \(String(cString: strerror(code)))."
            self = code == ENOENT ? .missing : Exhaustion.isMeant(by: code) ? .exhausted(reason) : .refused(reason)
            return
        }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            self = .refused("This is no regular file. \(purpose.adviceIfOther)")
            return
        }
        Self.ignoresLeaseBreaks
        // Held until the descriptor is closed.
        if weir_lease(descriptor) == 0, !evenIfBeingWritten {
            self = .beingWritten
            return
        }
        // After the lease: whoever wrote before it has ended.
        guard fstat(descriptor, &info) == 0 else {
            self = .refused("The file cannot be examined: \(String(cString: strerror(errno))).")
            return
        }
        let stamp = FileStamp(info)
        let tooLarge = SourceError("The file is larger than \(limit >> 20) MiB. \(purpose.adviceIfLarge)")
        switch Self.bytes(descriptor, expected: stamp.bytes, limit: limit, tooLarge) {
        case .success(let bytes): self = .content(bytes, stamp)
        case .failure(let error): self = .refused(error.description)
        }
    }

    private static func bytes(
        _ descriptor: Int32, expected: Int, limit: Int, _ tooLarge: SourceError
    ) -> Result<[UInt8], SourceError> {
        guard expected <= limit else { return .failure(tooLarge) }
        var content: [UInt8] = []
        // One byte more than expected, so that the end is usually seen without a second round.
        var room = expected + 1
        while true {
            var status = 0
            let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                status = read(descriptor, buffer.baseAddress, room)
                count = max(status, 0)
            }
            if status < 0, errno == EINTR { continue }
            guard status >= 0 else {
                return .failure(SourceError("The file cannot be read: \(String(cString: strerror(errno)))."))
            }
            if status == 0 { return .success(content) }
            if content.isEmpty { content = piece } else { content += piece }
            guard content.count <= limit else { return .failure(tooLarge) }
            room = 65536
        }
    }
}

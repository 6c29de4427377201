import CWeir
import Glibc
import WeirEngine

/// Where the access log goes, as `--access-log` says.
package enum AccessLogTarget: Sendable, Equatable {
    case standardOutput
    case file(String)

    /// `off` is `nil`, `-` is standard output, everything else a file's path.
    package init?(_ text: String) throws(OptionError) {
        switch text {
        case "off": return nil
        case "": throw OptionError("'' is no file. Write --access-log with a path, - for standard output, or off.")
        // Opening it anew would write from the start of a file it leads to.
        case "-", "/dev/stdout": self = .standardOutput
        default: self = .file(text)
        }
    }
}

/// An open target: writes without waiting for whoever reads it.
struct LogTarget: ~Copyable {
    enum Outcome: Equatable {
        case written(Int)
        /// The reader has no room; try again later.
        case full
        case failed(Int32)
    }

    private enum Kind {
        /// A file, or a pipe opened here: `write` does not wait.
        case own
        /// A socket given to us, whose flags are not ours to change.
        case socket
        /// A pipe given to us, likewise: written in pieces it is known to have room for.
        case sharedPipe
    }

    /// What a pipe that is ready to be written surely takes (POSIX: PIPE_BUF is at least 512; Linux: 4096).
    private static let pipeBytes = 4096

    private let descriptor: Int32
    private let isOwned: Bool
    private let kind: Kind

    init(_ target: AccessLogTarget) throws(SocketError) {
        switch target {
        case .file(let path):
            // Without O_NONBLOCK a named pipe would wait for its reader, here and in each write.
            let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
            descriptor = open(path, flags, 0o640)
            guard descriptor >= 0 else { throw SocketError(operation: path, code: errno) }
            isOwned = true
            kind = .own
        case .standardOutput:
            (descriptor, kind) = Self.standardOutput()
            isOwned = descriptor != STDOUT_FILENO
        }
    }

    deinit {
        if isOwned { close(descriptor) }
    }

    /// Standard output as it may be written without waiting.
    ///
    /// A pipe or a terminal is opened anew where that is allowed, so that whoever else has it keeps theirs as it is. A file is
    /// not: it would be written from its start.
    private static func standardOutput() -> (descriptor: Int32, kind: Kind) {
        var status = stat()
        guard fstat(STDOUT_FILENO, &status) == 0 else { return (STDOUT_FILENO, .own) }
        let type = status.st_mode & S_IFMT
        if type == S_IFSOCK { return (STDOUT_FILENO, .socket) }
        guard type == S_IFIFO || type == S_IFCHR else { return (STDOUT_FILENO, .own) }
        let descriptor = open("/proc/self/fd/\(STDOUT_FILENO)", O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        if descriptor >= 0 { return (descriptor, .own) }
        return (STDOUT_FILENO, type == S_IFIFO ? .sharedPipe : .own)
    }

    borrowing func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        while true {
            let length: Int
            switch kind {
            case .own: length = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            case .socket:
                length = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            case .sharedPipe:
                guard hasRoom else { return .full }
                length = Glibc.write(descriptor, bytes.baseAddress, min(bytes.count, Self.pipeBytes))
            }
            if length >= 0 { return .written(length) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .full
            default: return .failed(errno)
            }
        }
    }

    private var hasRoom: Bool {
        var question = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // An error shows in the write that follows.
        return poll(&question, 1, 0) > 0
    }

    /// Waits until the target takes bytes again or `wakeDescriptor` is readable, for at most `milliseconds`.
    borrowing func wait(orFor wakeDescriptor: Int32, isFull: Bool, milliseconds: Int32) {
        let both = [
            pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
        ]
        var asked = both
        poll(&asked, isFull ? 2 : 1, milliseconds)
        guard asked[0].revents != 0 else { return }
        var counter: UInt64 = 0
        _ = read(wakeDescriptor, &counter, MemoryLayout<UInt64>.size)
    }
}

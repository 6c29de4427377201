import Glibc

/// Descriptors 0 to 2.
package enum StandardStreams {
    /// Opens `/dev/null` where one of them is closed.
    ///
    /// The next socket or pipe would take its number, and log lines would be written into it.
    package static func fillGaps() {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest free number is the one that is missing.
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// All of standard input.
    package static func readInput() -> [UInt8] {
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65536)
        while true {
            let length = read(STDIN_FILENO, &room, room.count)
            if length < 0, errno == EINTR { continue }
            if length <= 0 { return bytes }
            bytes += room[..<length]
        }
    }

    /// Writes to standard output, past stdio.
    package static func print(_ text: String) { put(text, STDOUT_FILENO) }

    /// Writes a line to standard error.
    package static func complain(_ text: String) { put(text + "\n", STDERR_FILENO) }

    /// All of it, unless nobody takes it.
    private static func put(_ text: String, _ descriptor: Int32) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let length = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard length > 0 || errno == EINTR else { return }
            written += max(0, length)
        }
    }
}

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

    /// Standard input to its end, or a little more than `limit` bytes of it.
    package static func readInput(limit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= limit {
            let length = read(STDIN_FILENO, &room, room.count)
            if length < 0, errno == EINTR { continue }
            if length <= 0 { break }
            bytes += room[..<length]
        }
        return bytes
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

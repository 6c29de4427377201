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
}

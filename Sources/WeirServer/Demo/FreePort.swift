import Glibc

/// Ports of this machine that nobody listens on.
enum FreePort {
    /// `wanted` if it is free; otherwise one of the system's choice, or `nil` when there is none.
    static func near(_ wanted: Int) -> Int? { bound(wanted) ?? bound(0) }

    /// Binds the port on all addresses for a moment; returns its number.
    private static func bound(_ port: Int) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                // Listening too: only that tells a port in use from one that merely may be shared.
                bind(descriptor, raw, length) == 0 && listen(descriptor, 1) == 0
                    ? getsockname(descriptor, raw, &length) : -1
            }
        }
        return status == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }
}

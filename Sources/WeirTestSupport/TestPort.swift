import Glibc
import WeirEngine

/// Loopback ports for servers that are told their port, such as a Gateway's.
package enum TestPort {
    /// Below the ports the system gives to outgoing connections, which could take a free one at any moment.
    private static let candidates = 10_240..<32_000
    /// Given away in this process; never given twice.
    private static let taken = Guarded<Set<Int>>([])

    /// A port nobody listens on at this moment.
    ///
    /// Another process may still take it: whoever listens tries again.
    package static func free() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: candidates)
            guard taken.withLock({ $0.insert(port).inserted }), isFree(port) else { continue }
            return port
        }
        throw TestSocketError(description: "no free port")
    }

    /// Whether this port could be listened on, on every address.
    package static func isFree(_ port: Int) -> Bool {
        guard let holder = try? PortHolder(port: port) else { return false }
        return withExtendedLifetime(holder) { true }
    }
}

/// Listens on a port and never accepts: a port that is busy.
package final class PortHolder: Sendable {
    package let port: Int
    private let descriptor: Int32

    /// Port 0 takes one of the system's choice.
    package init(port: Int = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = descriptor
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                // Listening too: only that tells a port in use from one that merely may be shared.
                bind(fd, raw, length) == 0 && listen(fd, 1) == 0 ? getsockname(fd, raw, &length) : -1
            }
        }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        guard status == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw TestSocketError(description: "listen on port \(port): \(reason)")
        }
    }

    deinit { close(descriptor) }
}

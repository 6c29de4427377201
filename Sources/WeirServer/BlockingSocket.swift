import Glibc

/// Why a peer did not answer.
struct ProbeFailure: Error, CustomStringConvertible {
    let description: String

    init(_ operation: String, errno code: Int32) {
        let reason = code == EAGAIN || code == EINPROGRESS ? "no answer in time" : String(cString: strerror(code))
        description = "\(operation): \(reason)"
    }

    init(_ description: String) { self.description = description }
}

/// A client's socket that waits, with a limit on each call: for commands, never for the proxy's own traffic.
struct BlockingSocket: ~Copyable {
    private let descriptor: Int32

    init(connecting address: HostPort, limitSeconds: Double) throws(ProbeFailure) {
        let isIPv6 = address.host.contains(":")
        descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ProbeFailure("socket", errno: errno) }
        // The send limit also bounds connect.
        try limit(seconds: limitSeconds)
        guard Self.connect(descriptor, address, isIPv6: isIPv6) == 0 else {
            throw ProbeFailure("connect", errno: errno)
        }
    }

    deinit { close(descriptor) }

    /// How long a later call may wait; throws when nothing is left.
    borrowing func limit(seconds: Double) throws(ProbeFailure) {
        guard seconds > 0 else { throw ProbeFailure("no answer in time") }
        var limit = timeval(
            tv_sec: Int(seconds), tv_usec: max(1, Int(seconds.truncatingRemainder(dividingBy: 1) * 1e6)))
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    private static func connect(_ descriptor: Int32, _ address: HostPort, isIPv6: Bool) -> Int32 {
        let port = UInt16(truncatingIfNeeded: address.port).bigEndian
        if isIPv6 {
            var target = sockaddr_in6()
            target.sin6_family = sa_family_t(AF_INET6)
            target.sin6_port = port
            inet_pton(AF_INET6, address.host, &target.sin6_addr)
            return withUnsafePointer(to: &target) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port
        inet_pton(AF_INET, address.host, &target.sin_addr)
        return withUnsafePointer(to: &target) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    borrowing func send(_ text: String) throws(ProbeFailure) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let length = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard length > 0 else { throw ProbeFailure("send", errno: errno) }
            sent += length
        }
    }

    /// What has arrived, up to 64 KiB; empty at the peer's end.
    borrowing func receive() throws(ProbeFailure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let length = recv(descriptor, &buffer, buffer.count, 0)
            if length < 0, errno == EINTR { continue }
            guard length >= 0 else { throw ProbeFailure("receive", errno: errno) }
            return Array(buffer[..<length])
        }
    }
}

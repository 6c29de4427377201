import Glibc
import WeirEngine

/// A small fast backend for load: answers every request without a body with its target.
///
/// `x-backend` is the loopback address the proxy connected to, so one origin is as many backends as endpoints name
/// addresses of 127.0.0.0/8.
package final class EchoOrigin: Sendable {
    package let port: Int
    private let listener: Int32

    package init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = listener
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(fd, raw, length) == 0 && listen(fd, 1024) == 0 ? getsockname(fd, raw, &length) : -1
            }
        }
        guard status == 0 else { throw TestSocketError(description: "no port for a test origin") }
        port = Int(UInt16(bigEndian: address.sin_port))
        TestThread { Self.acceptAll(fd) }.start()
    }

    /// Refuses new connections; the open ones last as long as the proxy keeps them.
    package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private static func acceptAll(_ listener: Int32) {
        while true {
            let fd = accept(listener, nil, nil)
            guard fd >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                break
            }
            TestThread { serve(fd) }.start()
        }
        close(listener)
    }

    private static func serve(_ fd: Int32) {
        defer { close(fd) }
        var on: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let lead = Array("HTTP/1.1 200 OK\r\nx-backend: \(localAddress(fd))\r\ncontent-length: ".utf8)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 * 1024, alignment: 1)
        defer { buffer.deallocate() }
        guard let base = buffer.baseAddress else { return }
        var filled = 0
        while true {
            // The proxy sends a request, then waits for its answer: whatever is here is one head.
            while ByteSearch.find("\r\n\r\n", in: base, filled) == nil {
                let length = recv(fd, base + filled, buffer.count - filled, 0)
                guard length > 0 else { return }
                filled += length
            }
            guard let start = memchr(base, 0x20, filled), let end = memchr(start + 1, 0x20, base + filled - start - 1)
            else { return }
            let target = UnsafeRawBufferPointer(start: start + 1, count: end - start - 1)
            var answer = lead
            answer.append(contentsOf: "\(target.count)\r\n\r\n".utf8)
            answer.append(contentsOf: target)
            guard send(fd, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count else { return }
            filled = 0
        }
    }

    private static func localAddress(_ fd: Int32) -> String {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        let number = UInt32(bigEndian: address.sin_addr.s_addr)
        return "\(number >> 24).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
    }
}

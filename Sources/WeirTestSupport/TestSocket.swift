import CWeir
import Glibc

/// What a test peer could not do in time.
package struct TestSocketError: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// A blocking socket with a deadline on every call: the raw bytes of both sides of a test.
package final class TestSocket: Sendable {
    /// A call that has not finished after this many seconds fails the test.
    package static let deadlineSeconds = 20

    let descriptor: Int32

    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        // accept4 and weir_socket give non-blocking sockets; tests want blocking ones.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        var limit = timeval(tv_sec: Self.deadlineSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// Connects to a loopback port.
    package convenience init(port: Int) throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard fd >= 0 else { throw TestSocketError(description: "no socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            let code = errno
            close(fd)
            throw TestSocketError(description: "connect to port \(port): \(String(cString: strerror(code)))")
        }
        self.init(adopting: fd)
    }

    /// The port at this end.
    package var localPort: Int {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        precondition(status == 0, "a socket without an address")
        return Int(UInt16(bigEndian: address.sin_port))
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let length = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard length > 0 else { throw TestSocketError(description: "send: \(String(cString: strerror(errno)))") }
            sent += length
        }
    }

    /// Up to 64 KiB; empty at the peer's end.
    ///
    /// Throws on a reset or when the deadline passes.
    package func receive() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let length = recv(descriptor, &buffer, buffer.count, 0)
        guard length >= 0 else { throw TestSocketError(description: "receive: \(String(cString: strerror(errno)))") }
        return Array(buffer[..<length])
    }

    /// The peer has ended its side or reset the connection; what it sent stays unread.
    package var peerHasGone: Bool {
        var question = pollfd(fd: descriptor, events: Int16(weir_pollrdhup), revents: 0)
        return poll(&question, 1, 0) > 0 && Int32(question.revents) & (weir_pollrdhup | POLLERR | POLLHUP) != 0
    }

    /// Something can be read without waiting: bytes, or the peer's end.
    package var hasInput: Bool {
        var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&question, 1, 0) > 0
    }

    /// Ends our side only.
    package func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the close that follows a reset.
    package func resetOnClose() {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    /// Drops the connection at once, even while another thread is in a call on it; with `resetOnClose`, by a reset.
    package func disconnect() {
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// Takes both sides down; a blocked `receive` elsewhere returns.
    package func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

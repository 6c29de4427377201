import CWeir
import Glibc

/// A socket call that failed, told so that an operator can act.
package struct SocketError: Error, Sendable, CustomStringConvertible {
    package let operation: String
    package let code: Int32

    package init(operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}

/// What one read or write came to.
///
/// `done` carries the bytes moved, always more than zero.
enum TransferResult: Equatable {
    case done(Int)
    case wantRead
    case wantWrite
    /// The peer ended its side (reads only).
    case end
    /// The connection is broken; the errno says how.
    case failed(Int32)
}

/// The syscall fence: errno becomes a typed result, EINTR is repeated.
enum Socket {
    static func receive(_ fd: Int32, into bytes: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        while true {
            let length = weir_recv(fd, bytes, count)
            if length > 0 { return .done(length) }
            if length == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wantRead
            default: return .failed(errno)
            }
        }
    }

    /// As `receive`, but leaves the bytes where they are.
    static func peek(_ fd: Int32, into bytes: UnsafeMutablePointer<UInt8>, count: Int) -> TransferResult {
        while true {
            let length = recv(fd, bytes, count, Int32(MSG_PEEK))
            if length > 0 { return .done(length) }
            if length == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wantRead
            default: return .failed(errno)
            }
        }
    }

    /// Writes what the vectors describe.
    ///
    /// SIGPIPE is ignored process-wide, so a gone peer shows as EPIPE.
    static func send(_ fd: Int32, _ vectors: UnsafePointer<iovec>, count: Int) -> TransferResult {
        while true {
            // One piece is the usual case, and costs the kernel less this way than as a vector.
            let length =
                count == 1
                ? weir_send(fd, vectors.pointee.iov_base, vectors.pointee.iov_len)
                : writev(fd, vectors, Int32(count))
            if length > 0 { return .done(length) }
            if length == 0 { return .wantWrite }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wantWrite
            default: return .failed(errno)
            }
        }
    }

    /// `nil` when the queue is empty; the failure otherwise.
    static func accept(_ fd: Int32) -> Result<(descriptor: Int32, peer: SocketAddress), SocketError>? {
        while true {
            let (peer, descriptor) = SocketAddress.filled { weir_accept4(fd, $0, $1) }
            if descriptor >= 0 { return .success((descriptor, peer)) }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EAGAIN: return nil
            default: return .failure(SocketError(operation: "accept", code: errno))
            }
        }
    }

    /// Starts a connection: the descriptor, and whether it is established already.
    static func connect(
        _ address: UnsafePointer<sockaddr>, _ length: socklen_t
    ) -> Result<(descriptor: Int32, established: Bool), SocketError> {
        let descriptor = weir_socket(Int32(address.pointee.sa_family))
        guard descriptor >= 0 else { return .failure(SocketError(operation: "socket", code: errno)) }
        setNoDelay(descriptor)
        while true {
            if Glibc.connect(descriptor, address, length) == 0 { return .success((descriptor, true)) }
            switch errno {
            case EINTR: continue
            case EINPROGRESS: return .success((descriptor, false))
            default:
                let code = errno
                Glibc.close(descriptor)
                return .failure(SocketError(operation: "connect", code: code))
            }
        }
    }

    /// The outcome of a connection attempt once the descriptor is writable: 0 or an errno.
    static func pendingError(_ fd: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return errno }
        return code
    }

    /// Whether the peer has ended its side or reset the connection, told without reading what it sent before.
    static func peerHasGone(_ fd: Int32) -> Bool {
        var question = pollfd(fd: fd, events: Int16(weir_pollrdhup), revents: 0)
        return poll(&question, 1, 0) > 0 && Int32(question.revents) & (weir_pollrdhup | POLLERR | POLLHUP) != 0
    }

    /// Whether the connection is broken, or both sides have ended, told likewise.
    static func isBroken(_ fd: Int32) -> Bool {
        var question = pollfd(fd: fd, events: 0, revents: 0)
        return poll(&question, 1, 0) > 0 && Int32(question.revents) & (POLLERR | POLLHUP) != 0
    }

    /// Whether a connection that was started is established: it takes bytes, and is not broken.
    static func isEstablished(_ fd: Int32) -> Bool {
        var question = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        return poll(&question, 1, 0) > 0 && Int32(question.revents) == POLLOUT
    }

    static func localAddress(_ fd: Int32) -> SocketAddress {
        let (address, result) = SocketAddress.filled { getsockname(fd, $0, $1) }
        return result == 0 ? address : SocketAddress()
    }

    static func peerAddress(_ fd: Int32) -> SocketAddress {
        let (address, result) = SocketAddress.filled { getpeername(fd, $0, $1) }
        return result == 0 ? address : SocketAddress()
    }

    static func setNoDelay(_ fd: Int32) {
        var on: Int32 = 1
        // Fails on unix sockets, which have nothing to delay.
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Ends our side: the peer reads what was sent and then an end.
    static func endWriting(_ fd: Int32) { shutdown(fd, Int32(SHUT_WR)) }

    static func close(_ fd: Int32) { Glibc.close(fd) }

    /// Makes `close` send a reset, so that a broken-off message cannot be taken for a whole one.
    static func resetOnClose(_ fd: Int32) {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    // MARK: Listening

    /// Connections the kernel holds for a listener before they are accepted (cut to net.core.somaxconn).
    static let listenBacklog: Int32 = 4096

    /// Opens a listening socket.
    ///
    /// With `shared`, several sockets of this process take turns on the port (SO_REUSEPORT).
    static func listen(_ address: SocketAddress, shared: Bool) throws(SocketError) -> Int32 {
        let fd = weir_socket(address.family)
        guard fd >= 0 else { throw SocketError(operation: "socket", code: errno) }
        var on: Int32 = 1
        var off: Int32 = 0
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, size)
        if shared { setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, size) }
        if address.family == AF_INET6 { setsockopt(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, size) }
        let bound = address.withSockAddr { Glibc.bind(fd, $0, $1) }
        guard bound == 0, Glibc.listen(fd, listenBacklog) == 0 else {
            let code = errno
            Glibc.close(fd)
            throw SocketError(operation: "listen on \(address.text)", code: code)
        }
        return fd
    }

    /// Every local address of `port`: dual-stack where the machine has IPv6, IPv4 otherwise.
    static func anyAddress(port: UInt16) -> SocketAddress {
        let probe = weir_socket(AF_INET6)
        if probe >= 0 {
            Glibc.close(probe)
            if let address = SocketAddress(numericHost: "::", port: port) { return address }
        }
        guard let address = SocketAddress(numericHost: "0.0.0.0", port: port) else {
            preconditionFailure("0.0.0.0 is an address")
        }
        return address
    }
}

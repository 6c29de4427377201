import Glibc
import WeirTestSupport

/// A keep-alive connection for load: sends a request, checks every byte of the answer, as cheaply as a test can.
struct LoadClient: ~Copyable {
    private let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 * 1024, alignment: 1)

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: TestSocket.deadlineSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let fd = descriptor
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Self.failure("connect") }
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// Asks an `EchoOrigin` for this target; returns the backend's loopback address as its four bytes in one number.
    ///
    /// `lines` are more header lines, each with its CRLF. Throws unless the answer is a 200 with exactly the target as its
    /// body and nothing behind it.
    mutating func backend(of target: String, lines: String = "") throws -> UInt32 {
        let request = Array("GET \(target) HTTP/1.1\r\nhost: example.com\r\n\(lines)\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw Self.failure("send \(target)")
        }
        guard let base = buffer.baseAddress else { throw Self.failure("buffer") }
        var filled = 0
        var head: Int?
        while true {
            let length = recv(descriptor, base + filled, buffer.count - filled, 0)
            guard length > 0 else {
                throw length == 0
                    ? TestSocketError(description: "the connection ended instead of an answer to \(target)")
                    : Self.failure("receive \(target)")
            }
            filled += length
            head = head ?? ByteSearch.find("\r\n\r\n", in: base, filled).map { $0 - base + 4 }
            if let head, filled >= head + target.utf8.count { break }
        }
        let body = String(decoding: buffer[(head ?? 0)..<filled], as: UTF8.self)
        guard memcmp(base, "HTTP/1.1 200 OK\r\n", 17) == 0, body == target,
            let length = value("\r\ncontent-length: ", filled),
            Self.number(length, end: 13) == UInt32(target.utf8.count),
            let backend = value("\r\nx-backend: ", filled)
        else {
            throw TestSocketError(
                description: "asked for \(target), got:\n" + String(decoding: buffer[..<filled], as: UTF8.self))
        }
        return Self.address(backend)
    }

    /// What follows `lead` in the answer's head.
    private func value(_ lead: StaticString, _ filled: Int) -> UnsafeRawPointer? {
        buffer.baseAddress.flatMap { ByteSearch.find(lead, in: $0, filled) }.map {
            UnsafeRawPointer($0) + lead.utf8CodeUnitCount
        }
    }

    /// Decimal digits up to this byte; the head's end stops it in any case.
    private static func number(_ start: UnsafeRawPointer, end: UInt8) -> UInt32? {
        var value: UInt32 = 0
        var place = start
        while true {
            let byte = place.load(as: UInt8.self)
            if byte == end { return value }
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value &* 10 &+ UInt32(byte - 0x30)
            place += 1
        }
    }

    private static func address(_ start: UnsafeRawPointer) -> UInt32 {
        var value: UInt32 = 0
        var part: UInt32 = 0
        var place = start
        while true {
            let byte = place.load(as: UInt8.self)
            if byte == 0x2E {
                value = value << 8 | part
                part = 0
            } else if byte >= 0x30, byte <= 0x39 {
                part = part &* 10 &+ UInt32(byte - 0x30)
            } else {
                return value << 8 | part
            }
            place += 1
        }
    }

    private static func failure(_ what: String) -> TestSocketError {
        TestSocketError(description: "\(what): \(String(cString: strerror(errno)))")
    }
}

import CWeir
import Glibc

/// An endpoint's address as the compiler states it.
package enum EndpointTarget: Sendable, Hashable {
    /// Network byte order in memory.
    case ipv4(UInt32)
    case ipv6(UInt64, UInt64)
    /// Path of a unix socket.
    case unix(String)

    /// Longest path that fits into a `sockaddr_un` with its NUL.
    static let maxUnixPath = MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size - 1

    /// Reads an IPv4 or IPv6 address, or `unix:///path`; `nil` for anything else (a name that needs DNS).
    package init?(_ text: String) {
        if text.hasPrefix("unix://") {
            let path = String(text.dropFirst("unix://".count))
            guard !path.isEmpty, path.utf8.count <= Self.maxUnixPath else { return nil }
            self = .unix(path)
            return
        }
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self = .ipv4(v4.s_addr)
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            let (high, low) = withUnsafeBytes(of: v6) { raw in
                (raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            self = .ipv6(high, low)
        } else {
            return nil
        }
    }
}

/// An endpoint's address on the hot path: a trivial value.
///
/// A unix path is borrowed from the plan that holds it.
struct EndpointAddress: Equatable {
    enum Family: UInt8 {
        case ipv4
        case ipv6
        case unix
    }

    let family: Family
    let port: UInt16
    private let pathLength: UInt16
    /// The address as in `EndpointTarget`, or the path's pointer.
    private let high: UInt64
    private let low: UInt64

    /// `path` must hold the bytes of a unix target and outlive the value.
    init(_ target: EndpointTarget, port: UInt16, path: UnsafePointer<UInt8>? = nil) {
        switch target {
        case .ipv4(let address):
            family = .ipv4
            (high, low) = (UInt64(address), 0)
        case .ipv6(let first, let second):
            family = .ipv6
            (high, low) = (first, second)
        case .unix(let text):
            family = .unix
            self.port = 0
            pathLength = UInt16(text.utf8.count)
            (high, low) = (UInt64(UInt(bitPattern: path)), 0)
            return
        }
        self.port = port
        pathLength = 0
    }

    /// An IP address of a socket; an IPv4 address mapped into IPv6 becomes IPv4.
    ///
    /// `nil` for every other family.
    init?(_ address: SocketAddress) {
        guard let parts = address.parts else { return nil }
        self.init(parts.target, port: parts.port)
    }

    /// Reads an IPv4 or IPv6 address of a text that ends with a NUL; `nil` for anything else.
    ///
    /// The port is 0.
    init?(numeric text: UnsafePointer<CChar>) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(.ipv4(v4.s_addr), port: 0)
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            let (high, low) = withUnsafeBytes(of: v6) { raw in
                (raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            self.init(.ipv6(high, low), port: 0)
        } else {
            return nil
        }
    }

    /// Path of a unix socket, without a NUL.
    var path: UnsafeRawBufferPointer {
        guard family == .unix else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(high)), count: Int(pathLength))
    }

    static func == (a: EndpointAddress, b: EndpointAddress) -> Bool {
        guard a.family == b.family else { return false }
        if a.family == .unix {
            return a.pathLength == b.pathLength && memcmp(a.path.baseAddress!, b.path.baseAddress!, a.path.count) == 0
        }
        return a.port == b.port && a.high == b.high && a.low == b.low
    }

    /// The address family for `socket`.
    var socketFamily: Int32 {
        switch family {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// The address as `connect` wants it.
    func withSockAddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch family {
        case .ipv4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = in_addr_t(truncatingIfNeeded: high)
            return Self.pass(&address, MemoryLayout<sockaddr_in>.size, body)
        case .ipv6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
                bytes.storeBytes(of: high, as: UInt64.self)
                bytes.storeBytes(of: low, toByteOffset: 8, as: UInt64.self)
            }
            return Self.pass(&address, MemoryLayout<sockaddr_in6>.size, body)
        case .unix:
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyMemory(from: path) }
            let length = MemoryLayout<sa_family_t>.size + Int(pathLength) + 1
            return Self.pass(&address, length, body)
        }
    }

    private static func pass<Address, Result>(
        _ address: inout Address, _ length: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafeBytes(of: &address) { raw in
            body(raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(length))
        }
    }

    /// `10.0.0.1:80`, `[::1]:80` or the path: for logs and dumps, made once a plan.
    var text: String {
        switch family {
        case .unix: return String(decoding: path, as: UTF8.self)
        case .ipv4, .ipv6:
            let raw = (high, low)
            let host = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { room in
                let written = withUnsafeBytes(of: raw) { bytes in
                    inet_ntop(socketFamily, bytes.baseAddress!, room.baseAddress!, socklen_t(room.count))
                }
                guard let written else { return "?" }
                return String(cString: written)
            }
            return family == .ipv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}

/// As bytes, for keys and for other programs.
extension EndpointAddress {
    /// A number that differs between two addresses, but for collisions.
    func hash(seed: UInt64) -> UInt64 {
        guard family != .unix else { return XXHash64.hash(path, seed: seed) }
        let parts = (high, low, UInt64(port))
        return withUnsafeBytes(of: parts) { XXHash64.hash($0, seed: seed) }
    }

    /// Writes the address alone in network byte order; returns its length, 0 for a unix socket.
    func writeBytes(into out: UnsafeMutablePointer<UInt8>) -> Int {
        let length =
            switch family {
            case .unix: 0
            case .ipv4: 4
            case .ipv6: 16
            }
        let parts = (high, low)
        withUnsafeBytes(of: parts) {
            out.update(from: $0.baseAddress!.assumingMemoryBound(to: UInt8.self), count: length)
        }
        return length
    }
}

/// As text, without a String: for the access log.
extension EndpointAddress {
    /// Writes the address alone; returns its length, 0 for a unix socket.
    func writeHost(into out: UnsafeMutablePointer<UInt8>) -> Int {
        switch family {
        case .unix: return 0
        case .ipv4: return SocketAddress.writeIPv4(UInt32(truncatingIfNeeded: high), into: out)
        case .ipv6:
            let raw = (high, low)
            return withUnsafeBytes(of: raw) { bytes in
                let text = UnsafeMutableRawPointer(out).assumingMemoryBound(to: CChar.self)
                guard inet_ntop(AF_INET6, bytes.baseAddress!, text, socklen_t(INET6_ADDRSTRLEN)) != nil else {
                    return 0
                }
                return strlen(text)
            }
        }
    }
}

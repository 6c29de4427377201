import CWeir
import Glibc

/// An IPv4, IPv6 or unix socket address.
///
/// A trivial value: copied freely, never allocated.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private(set) var length: socklen_t = 0

    init() {}

    /// Reads `HOST:PORT` or `[IPV6]:PORT` with a numeric host; `nil` when it is neither.
    init?(numericHost host: String, port: UInt16) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, host, &v4) == 1 {
            withStorage(as: sockaddr_in.self) {
                $0.sin_family = sa_family_t(AF_INET)
                $0.sin_port = port.bigEndian
                $0.sin_addr = v4
            }
        } else if inet_pton(AF_INET6, host, &v6) == 1 {
            withStorage(as: sockaddr_in6.self) {
                $0.sin6_family = sa_family_t(AF_INET6)
                $0.sin6_port = port.bigEndian
                $0.sin6_addr = v6
            }
        } else {
            return nil
        }
    }

    private mutating func withStorage<Address>(as type: Address.Type, _ body: (inout Address) -> Void) {
        withUnsafeMutableBytes(of: &storage) { raw in
            body(&raw.assumingMemoryBound(to: Address.self)[0])
        }
        length = socklen_t(MemoryLayout<Address>.size)
    }

    /// Lets the kernel fill the address in.
    static func filled(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (
        address: SocketAddress, result: Int32
    ) {
        var address = SocketAddress()
        address.length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var length = address.length
        let result = withUnsafeMutableBytes(of: &address.storage) { raw in
            body(raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
        address.length = length
        return (address, result)
    }

    func withSockAddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafeBytes(of: storage) { raw in
            body(raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
        }
    }

    var family: Int32 { Int32(storage.ss_family) }

    var port: UInt16 {
        withUnsafeBytes(of: storage) { raw in
            switch family {
            case AF_INET: UInt16(bigEndian: raw.load(as: sockaddr_in.self).sin_port)
            case AF_INET6: UInt16(bigEndian: raw.load(as: sockaddr_in6.self).sin6_port)
            default: 0
            }
        }
    }

    /// The IP address and the port, an IPv4 address mapped into IPv6 as IPv4; `nil` for every other family.
    var parts: (target: EndpointTarget, port: UInt16)? {
        withUnsafeBytes(of: storage) { raw in
            switch family {
            case AF_INET:
                let address = raw.load(as: sockaddr_in.self)
                return (.ipv4(address.sin_addr.s_addr), UInt16(bigEndian: address.sin_port))
            case AF_INET6:
                let port = UInt16(bigEndian: raw.load(as: sockaddr_in6.self).sin6_port)
                guard let start = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) else { return nil }
                let high = raw.loadUnaligned(fromByteOffset: start, as: UInt64.self)
                let low = raw.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
                // ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).
                if high == 0, UInt32(truncatingIfNeeded: low).bigEndian == 0xffff {
                    return (.ipv4(UInt32(truncatingIfNeeded: low >> 32)), port)
                }
                return (.ipv6(high, low), port)
            default:
                return nil
            }
        }
    }

    /// Longest text `writeHost` makes: an IPv6 address.
    static let maxHostText = Int(INET6_ADDRSTRLEN)

    /// Writes the host without the port, an IPv4-mapped IPv6 address as IPv4; returns the length.
    func writeHost(into text: UnsafeMutablePointer<UInt8>) -> Int {
        withUnsafeBytes(of: storage) { raw in
            if family == AF_INET {
                return Self.writeIPv4(raw.load(as: sockaddr_in.self).sin_addr.s_addr, into: text)
            }
            guard family == AF_INET6 else { return 0 }
            var address = raw.load(as: sockaddr_in6.self).sin6_addr
            let mapped = withUnsafeBytes(of: &address) { bytes -> UInt32? in
                for index in 0..<10 where bytes[index] != 0 { return nil }
                guard bytes[10] == 0xff, bytes[11] == 0xff else { return nil }
                return bytes.load(fromByteOffset: 12, as: UInt32.self)
            }
            if let mapped { return Self.writeIPv4(mapped, into: text) }
            let target = UnsafeMutableRawPointer(text).assumingMemoryBound(to: CChar.self)
            guard inet_ntop(AF_INET6, &address, target, socklen_t(Self.maxHostText)) != nil else { return 0 }
            return strlen(target)
        }
    }

    static func writeIPv4(_ networkOrder: UInt32, into text: UnsafeMutablePointer<UInt8>) -> Int {
        let value = UInt32(bigEndian: networkOrder)
        var used = 0
        var shift: UInt32 = 32
        while shift > 0 {
            shift -= 8
            if used > 0 {
                text[used] = UInt8(ascii: ".")
                used += 1
            }
            let octet = UInt8(truncatingIfNeeded: value >> shift)
            if octet >= 100 {
                text[used] = UInt8(ascii: "0") + octet / 100
                used += 1
            }
            if octet >= 10 {
                text[used] = UInt8(ascii: "0") + octet / 10 % 10
                used += 1
            }
            text[used] = UInt8(ascii: "0") + octet % 10
            used += 1
        }
        return used
    }

    /// `127.0.0.1:80`, `[::1]:80`: for messages, never on the hot path.
    var text: String {
        let host = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.maxHostText) { room in
            String(decoding: room[..<writeHost(into: room.baseAddress!)], as: UTF8.self)
        }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension SocketAddress {
    /// Reads `HOST:PORT`, `[IPV6]:PORT` or `localhost:PORT`.
    init?(text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host == "localhost" { host = "127.0.0.1" }
        self.init(numericHost: host, port: port)
    }
}

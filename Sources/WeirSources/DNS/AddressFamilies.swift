import Glibc

extension AddressFamily {
    /// The families this machine can connect with: those it has an address of, besides the loopback's and a link's own.
    ///
    /// With neither, as on a machine without a network, all: names may still lead to the loopback.
    static func ofThisMachine() -> [AddressFamily] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return allCases }
        defer { freeifaddrs(list) }
        var found: Set<AddressFamily> = []
        var entry = list
        while let interface = entry?.pointee {
            if let family = family(of: interface) { found.insert(family) }
            entry = interface.ifa_next
        }
        return found.isEmpty ? allCases : allCases.filter(found.contains)
    }

    private static func family(of interface: ifaddrs) -> AddressFamily? {
        guard interface.ifa_flags & UInt32(IFF_LOOPBACK) == 0, let address = interface.ifa_addr else { return nil }
        switch Int32(address.pointee.sa_family) {
        case AF_INET: return .ipv4
        case AF_INET6:
            let bytes = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self).sin6_addr
            return withUnsafeBytes(of: bytes) { isLinkLocal($0) } ? nil : .ipv6
        default: return nil
        }
    }

    /// Whether it is one of fe80::/10.
    private static func isLinkLocal(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
    }
}

import Glibc

/// What a PROXY protocol header says of the connection it stands in front of.
enum ProxyHeader: Equatable {
    /// The proxy in front of us took the connection from this client.
    case client(EndpointTarget, port: UInt16)
    /// It speaks for itself, or does not know, or its client has no IP address: the peer is who it is.
    case peer
}

/// Reads a PROXY protocol header, version 1 or 2, from bytes as they arrive; takes none behind its end.
///
/// As haproxy.org's proxy-protocol.txt has it (sections 2.1 and 2.2), strictly: what deviates is refused. Of version 2,
/// what follows the addresses is passed over.
struct ProxyHeaderReader {
    /// Longest header of version 1, its line end included.
    static let maxV1Bytes = 107
    /// Longest header of version 2: the addresses and everything behind them.
    static let maxV2Bytes = 16 * 1024

    enum Outcome: Equatable {
        /// All that was given belongs to the header, which is not complete.
        case more
        case done(ProxyHeader)
        case refused
    }

    private enum State {
        case signature
        case v1
        /// The first 16 bytes.
        case v2
        case addresses(V2Family, length: Int)
        /// So many bytes still follow the addresses.
        case rest(ProxyHeader, left: Int)
    }

    private enum V2Family {
        case ipv4
        case ipv6

        var addressBytes: Int {
            switch self {
            case .ipv4: 12
            case .ipv6: 36
            }
        }
    }

    private static let v1Start = StaticString("PROXY ")
    static let v2Signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]
    private static let v2HeadBytes = 16

    private var state = State.signature
    /// What the present state needs to see whole.
    private var kept: [UInt8] = []

    init() { kept.reserveCapacity(Self.maxV1Bytes) }

    /// Takes what belongs to the header off the front of `bytes`; returns how many bytes that was, and what came of it.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> (used: Int, outcome: Outcome) {
        var used = 0
        while used < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
            let (taken, outcome) = step(rest)
            used += taken
            if outcome != .more { return (used, outcome) }
        }
        return (used, .more)
    }

    private mutating func step(_ bytes: UnsafeRawBufferPointer) -> (used: Int, outcome: Outcome) {
        switch state {
        case .signature:
            state = bytes[0] == Self.v2Signature[0] ? .v2 : .v1
            return (0, .more)
        case .v1:
            return takeLine(bytes)
        case .v2:
            return keep(bytes, upTo: Self.v2HeadBytes) { $0.headComplete() }
        case .addresses(let family, let length):
            return keep(bytes, upTo: family.addressBytes) { reader in
                reader.passOver(length - family.addressBytes, reader.client(family))
            }
        case .rest(let header, let left):
            let used = min(left, bytes.count)
            return (used, passOver(left - used, header))
        }
    }

    /// Collects bytes until there are `count`, and then goes on.
    private mutating func keep(
        _ bytes: UnsafeRawBufferPointer, upTo count: Int, then go: (inout Self) -> Outcome
    ) -> (used: Int, outcome: Outcome) {
        let used = min(count - kept.count, bytes.count)
        kept.append(contentsOf: bytes[..<used])
        if case .v2 = state {
            let known = min(kept.count, Self.v2Signature.count)
            guard kept[..<known] == Self.v2Signature[..<known] else { return (used, .refused) }
        }
        return (used, kept.count == count ? go(&self) : .more)
    }

    /// What is left is not looked at.
    private mutating func passOver(_ left: Int, _ header: ProxyHeader) -> Outcome {
        if left == 0 { return .done(header) }
        state = .rest(header, left: left)
        return .more
    }

    // MARK: Version 2

    private mutating func headComplete() -> Outcome {
        let (command, kind) = (kept[12], kept[13])
        let length = Int(kept[14]) << 8 | Int(kept[15])
        guard command >> 4 == 2, command & 15 <= 1, Self.v2HeadBytes + length <= Self.maxV2Bytes else {
            return .refused
        }
        kept.removeAll(keepingCapacity: true)
        // LOCAL: the proxy's own connection, such as a health check.
        if command & 15 == 0 { return passOver(length, .peer) }
        let family: V2Family
        switch kind {
        case 0x11: family = .ipv4
        case 0x21: family = .ipv6
        // No family, unix sockets and datagrams: nothing we could tell an upstream.
        case 0x00, 0x12, 0x22, 0x31, 0x32: return passOver(length, .peer)
        default: return .refused
        }
        guard length >= family.addressBytes else { return .refused }
        state = .addresses(family, length: length)
        return .more
    }

    private func client(_ family: V2Family) -> ProxyHeader {
        kept.withUnsafeBytes { bytes in
            switch family {
            case .ipv4:
                return .client(.ipv4(bytes.loadUnaligned(as: UInt32.self)), port: Self.port(bytes, at: 8))
            case .ipv6:
                let high = bytes.loadUnaligned(as: UInt64.self)
                let low = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                return .client(EndpointTarget(high: high, low: low), port: Self.port(bytes, at: 32))
            }
        }
    }

    private static func port(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt16 {
        UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    // MARK: Version 1

    private mutating func takeLine(_ bytes: UnsafeRawBufferPointer) -> (used: Int, outcome: Outcome) {
        let room = Self.maxV1Bytes - kept.count
        let window = bytes.prefix(room)
        let end = window.firstIndex(of: 10)
        let used = end.map { $0 + 1 } ?? window.count
        kept.append(contentsOf: window[..<used])
        let known = min(kept.count, Self.v1Start.utf8CodeUnitCount)
        guard memcmp(kept, Self.v1Start.utf8Start, known) == 0 else { return (used, .refused) }
        guard end != nil else { return (used, used == room ? .refused : .more) }
        guard kept.count >= 2, kept[kept.count - 2] == 13, let header = Self.readLine(kept.dropLast(2)) else {
            return (used, .refused)
        }
        return (used, .done(header))
    }

    /// `PROXY TCP4 192.0.2.1 192.0.2.2 4711 80`, one space between the words; or `PROXY UNKNOWN` and anything.
    private static func readLine(_ line: ArraySlice<UInt8>) -> ProxyHeader? {
        let words = line.split(separator: ASCII.space, maxSplits: 6, omittingEmptySubsequences: false)
        guard words.count >= 2 else { return nil }
        if words[1].elementsEqual("UNKNOWN".utf8) { return .peer }
        let family: Int32
        if words[1].elementsEqual("TCP4".utf8) {
            family = AF_INET
        } else if words[1].elementsEqual("TCP6".utf8) {
            family = AF_INET6
        } else {
            return nil
        }
        guard words.count == 6, let source = address(words[2], family), address(words[3], family) != nil,
            let port = port(words[4]), Self.port(words[5]) != nil
        else { return nil }
        return .client(source, port: port)
    }

    private static func address(_ word: ArraySlice<UInt8>, _ family: Int32) -> EndpointTarget? {
        // A NUL would hide what follows it from inet_pton.
        guard !word.contains(0) else { return nil }
        switch (EndpointTarget(String(decoding: word, as: UTF8.self)), family) {
        case (.ipv4(let address), AF_INET): return .ipv4(address)
        case (.ipv6(let high, let low), AF_INET6): return EndpointTarget(high: high, low: low)
        default: return nil
        }
    }

    /// Decimal digits without a leading zero, up to 65535.
    private static func port(_ word: ArraySlice<UInt8>) -> UInt16? {
        guard let first = word.first, word.count <= 5, word.allSatisfy(ASCII.isDigit) else { return nil }
        guard first != UInt8(ascii: "0") || word.count == 1 else { return nil }
        return UInt16(String(decoding: word, as: UTF8.self))
    }
}

extension EndpointTarget {
    /// An IPv6 address, one that is mapped from IPv4 as IPv4 (RFC 4291 section 2.5.5.2).
    fileprivate init(high: UInt64, low: UInt64) {
        if high == 0, UInt32(truncatingIfNeeded: low).bigEndian == 0xffff {
            self = .ipv4(UInt32(truncatingIfNeeded: low >> 32))
        } else {
            self = .ipv6(high, low)
        }
    }
}

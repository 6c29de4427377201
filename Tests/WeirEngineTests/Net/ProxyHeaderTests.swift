import Testing

@testable import WeirEngine

/// PROXY protocol headers as proxies send them, and as nobody should.
@Suite struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    /// A header of version 2; `length` is what it says follows.
    private static func v2(
        command: UInt8 = 0x21, kind: UInt8 = 0x11, _ rest: [UInt8], length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? rest.count
        return signature + [command, kind, UInt8(length >> 8), UInt8(length & 255)] + rest
    }

    private static let v4Addresses: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x67, 0, 80]
    private static let v6Addresses: [UInt8] =
        [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1] + [UInt8](repeating: 9, count: 16)
        + [0x12, 0x67, 0, 80]

    private static func client(_ text: String, _ port: UInt16) -> ProxyHeaderReader.Outcome {
        EndpointTarget(text).map { .done(.client($0, port: port)) } ?? .refused
    }

    /// Reads all at once with bytes behind the header, and then byte by byte: both must come to the same.
    private func read(_ bytes: [UInt8]) -> (used: Int, outcome: ProxyHeaderReader.Outcome) {
        var whole = ProxyHeaderReader()
        let behind = bytes + Array("GET / HTTP/1.1\r\n\r\n".utf8)
        let result = behind.withUnsafeBytes { whole.take($0) }
        var slow = ProxyHeaderReader()
        var used = 0
        var outcome = ProxyHeaderReader.Outcome.more
        for byte in behind where outcome == .more {
            let step = [byte].withUnsafeBytes { slow.take($0) }
            used += step.used
            outcome = step.outcome
        }
        #expect(outcome == result.outcome)
        if outcome != .refused { #expect(used == result.used) }
        return result
    }

    @Test(arguments: [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 4711 80", client("192.0.2.1", 4711)),
        ("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0", client("255.255.255.255", 65535)),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535", client("2001:db8::1", 1)),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::1 9 9", client("192.0.2.7", 9)),
        ("PROXY UNKNOWN", .done(.peer)),
        ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535", .done(.peer)),
    ])
    func version1(line: String, outcome: ProxyHeaderReader.Outcome) {
        let bytes = Array((line + "\r\n").utf8)
        let result = read(bytes)
        #expect(result.outcome == outcome)
        #expect(result.used == bytes.count)
    }

    @Test(arguments: [
        "", "GET / HTTP/1.1", "PROXY", "PROXY ", "proxy TCP4 192.0.2.1 198.51.100.2 4711 80",
        "PROXY TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 4711", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 80 ",
        "PROXY TCP4 192.0.2.1 198.51.100.2 4711 80 x", "PROXY  TCP4 192.0.2.1 198.51.100.2 4711 80",
        "PROXY TCP4 192.0.2.1  198.51.100.2 4711 80", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2",
        "PROXY TCP6 192.0.2.1 198.51.100.2 1 2", "PROXY TCP4 192.0.2 198.51.100.2 1 2",
        "PROXY TCP4 192.0.2.256 198.51.100.2 1 2", "PROXY TCP4 192.0.2.1 x 1 2",
        "PROXY TCP4 192.0.2.1 198.51.100.2 65536 80", "PROXY TCP4 192.0.2.1 198.51.100.2 01 80",
        "PROXY TCP4 192.0.2.1 198.51.100.2 -1 80", "PROXY TCP4 192.0.2.1 198.51.100.2 1 +2",
        "PROXY TCP4 192.0.2.1\u{0} 198.51.100.2 1 2", "PROXY TCP4 unix:///tmp/x 198.51.100.2 1 2",
        "PROXY UDP4 192.0.2.1 198.51.100.2 1 2", "PROXY UNKNOWNX", "PROXY tcp4 192.0.2.1 198.51.100.2 1 2",
    ])
    func whatIsNoLineOfVersion1IsRefused(line: String) {
        #expect(read(Array((line + "\r\n").utf8)).outcome == .refused)
        #expect(read(Array((line + "\n").utf8)).outcome == .refused)
    }

    @Test func aLineHasAtMost107Bytes() {
        let start = "PROXY UNKNOWN "
        let longest = start + String(repeating: "x", count: ProxyHeaderReader.maxV1Bytes - start.count - 2)
        #expect(read(Array((longest + "\r\n").utf8)).outcome == .done(.peer))
        #expect(read(Array((longest + "x\r\n").utf8)).outcome == .refused)
        #expect(read([UInt8](repeating: UInt8(ascii: "P"), count: 4096)).outcome == .refused)
    }

    @Test func version2() {
        let v4 = Self.v2(Self.v4Addresses)
        #expect(read(v4) == (v4.count, Self.client("192.0.2.1", 0x1267)))
        let v6 = Self.v2(kind: 0x21, Self.v6Addresses)
        #expect(read(v6) == (v6.count, Self.client("2001:db8::1", 0x1267)))
    }

    @Test func whatFollowsTheAddressesIsPassedOver() {
        for size in [1, 3, 1000, ProxyHeaderReader.maxV2Bytes - 16 - 12] {
            let bytes = Self.v2(Self.v4Addresses + [UInt8](repeating: 0xee, count: size))
            let result = read(bytes)
            #expect(result.used == bytes.count && result.outcome == Self.client("192.0.2.1", 0x1267))
        }
    }

    /// The proxy's own connections, and clients without an IP address.
    @Test(arguments: [
        v2(command: 0x20, kind: 0, []), v2(command: 0x20, v4Addresses), v2(command: 0x20, kind: 0xff, [1, 2, 3]),
        v2(kind: 0, []), v2(kind: 0, [7, 7]), v2(kind: 0x12, v4Addresses),
        v2(kind: 0x31, [UInt8](repeating: 0, count: 216)),
    ])
    func whereThereIsNoClientThePeerIsTaken(bytes: [UInt8]) {
        let result = read(bytes)
        #expect(result.used == bytes.count && result.outcome == .done(.peer))
    }

    @Test(arguments: [
        v2(command: 0x11, v4Addresses), v2(command: 0x31, v4Addresses), v2(command: 0x22, v4Addresses),
        v2(kind: 0x13, v4Addresses), v2(kind: 0x41, v4Addresses), v2([UInt8](repeating: 0, count: 11)),
        v2(kind: 0x21, [UInt8](repeating: 0, count: 35)),
        v2([], length: ProxyHeaderReader.maxV2Bytes - 15), v2([], length: 65535),
        Array(signature.dropLast()) + [11] + [0x21, 0x11, 0, 12] + v4Addresses, [13, 10] + Array("GET / ".utf8),
    ])
    func whatIsNoHeaderOfVersion2IsRefused(bytes: [UInt8]) {
        #expect(read(bytes).outcome == .refused)
    }

    @Test func anUnfinishedHeaderNeedsMore() {
        for bytes in [Self.v2(Self.v4Addresses + [1, 2]), Array("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n".utf8)] {
            for length in 0..<bytes.count {
                var reader = ProxyHeaderReader()
                let result = bytes[..<length].withUnsafeBytes { reader.take($0) }
                #expect(result == (length, .more))
            }
        }
    }
}

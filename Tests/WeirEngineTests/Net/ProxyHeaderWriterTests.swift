import Testing

@testable import WeirEngine

/// PROXY protocol headers to endpoints: what is written is what the reader reads.
@Suite struct ProxyHeaderWriterTests {
    private func end(_ address: String, _ port: UInt16) throws -> EndpointAddress {
        EndpointAddress(try #require(EndpointTarget(address)), port: port)
    }

    private func header(_ version: ProxyHeaderVersion, _ client: EndpointAddress, _ own: EndpointAddress) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: ProxyHeaderWriter.maxBytes) { room, count in
            guard let start = room.baseAddress else { return }
            count = ProxyHeaderWriter.write(ProxiedEnds(client: client, own: own), version, into: start)
        }
    }

    private func read(_ bytes: [UInt8]) -> ProxyHeaderReader.Outcome {
        var reader = ProxyHeaderReader()
        let result = bytes.withUnsafeBytes { reader.take($0) }
        #expect(result.used == bytes.count)
        return result.outcome
    }

    @Test(arguments: [
        ("192.0.2.1", "198.51.100.2", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\r\n"),
        ("2001:db8::1", "2001:db8::2", "PROXY TCP6 2001:db8::1 2001:db8::2 4711 80\r\n"),
        ("192.0.2.1", "2001:db8::2", "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 4711 80\r\n"),
        ("2001:db8::1", "192.0.2.2", "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 4711 80\r\n"),
    ])
    func version1(client: String, own: String, line: String) throws {
        #expect(String(decoding: header(.v1, try end(client, 4711), try end(own, 80)), as: UTF8.self) == line)
    }

    @Test(arguments: [ProxyHeaderVersion.v1, .v2], ["192.0.2.1", "255.255.255.255", "::1", "2001:db8:1:2:3:4:5:6"])
    func whatIsWrittenIsRead(version: ProxyHeaderVersion, client: String) throws {
        let target = try #require(EndpointTarget(client))
        for own in ["127.0.0.1", "fe80::1:2:3:4"] {
            let bytes = header(version, try end(client, 65_535), try end(own, 8080))
            #expect(bytes.count <= ProxyHeaderWriter.maxBytes)
            #expect(read(bytes) == .done(.client(target, port: 65_535)))
        }
    }

    @Test func version2IsBinary() throws {
        let bytes = header(.v2, try end("192.0.2.1", 0x1234), try end("198.51.100.2", 80))
        #expect(
            bytes == ProxyHeaderReader.v2Signature + [
                0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0, 80,
            ])
        #expect(header(.v2, try end("::1", 1), try end("::2", 2)).count == 16 + 36)
    }

    @Test(arguments: [ProxyHeaderVersion.v1, .v2])
    func aClientWithoutAnAddressIsUnknown(version: ProxyHeaderVersion) throws {
        let unix = EndpointAddress(.unix("/x"), port: 0)
        #expect(read(header(version, unix, try end("127.0.0.1", 80))) == .done(.peer))
        #expect(read(header(version, try end("127.0.0.1", 80), unix)) == .done(.peer))
        #expect(read(header(version, ProxiedEnds.unknown.client, ProxiedEnds.unknown.own)) == .done(.peer))
    }
}

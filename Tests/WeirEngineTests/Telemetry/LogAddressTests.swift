import Testing

@testable import WeirEngine

@Suite struct LogAddressTests {
    private static let addresses: [(host: String, port: UInt16, text: String)] = [
        ("10.0.0.1", 80, "10.0.0.1:80"), ("2001:db8::1", 65_535, "[2001:db8::1]:65535"),
    ]

    private func text(_ bytes: (start: UnsafePointer<UInt8>, count: Int)) -> String {
        String(decoding: UnsafeBufferPointer(start: bytes.start, count: bytes.count), as: UTF8.self)
    }

    private func address(_ host: String, _ port: UInt16) throws -> EndpointAddress {
        EndpointAddress(try #require(EndpointTarget(host)), port: port)
    }

    @Test func anAddressHasItsPartsAsText() throws {
        for (host, port, whole) in Self.addresses {
            let owner = LogAddressText(try address(host, port))
            #expect(text(owner.address.whole) == whole && text(owner.address.host) == host)
            #expect(owner.address.port.map { text($0) } == String(port))
        }
    }

    @Test func aTextThatIsReusedBecomesAnyOther() throws {
        var owner = LogAddressText(reusedFor: try address("10.0.0.1", 1))
        for (host, port, whole) in Self.addresses {
            owner.set(try address(host, port))
            #expect(text(owner.address.whole) == whole)
        }
    }

    @Test func connectionsToOneAddressShareItsTextAndFewAreRemembered() throws {
        let texts = LocalAddressTexts()
        let first = try #require(texts.text(of: try address("10.0.0.1", 443)))
        #expect(try #require(texts.text(of: try address("10.0.0.1", 443))).whole.start == first.whole.start)
        for port in 1..<UInt16(LocalAddressTexts.most) {
            let other = try #require(texts.text(of: try address("10.0.0.1", port)))
            #expect(text(other.whole) == "10.0.0.1:\(port)")
        }
        #expect(texts.text(of: try address("10.0.0.2", 443)) == nil)
        #expect(text(first.whole) == "10.0.0.1:443")
    }

    @Test func equalNamesAreHeldOnceAndFewAreRemembered() {
        var names = RecentNames()
        func place(_ name: [UInt8]) -> UnsafePointer<UInt8>? { name.withUnsafeBufferPointer(\.baseAddress) }
        let first = names.shared(Array("www.example.com".utf8))
        #expect(place(names.shared(Array("www.example.com".utf8))) == place(first))
        for index in 0..<RecentNames.most {
            #expect(names.shared(Array("\(index).example.com".utf8)) == Array("\(index).example.com".utf8))
        }
        #expect(place(names.shared(Array("www.example.com".utf8))) != place(first) && names.shared([]).isEmpty)
    }
}

import Testing

@testable import WeirEngine

@Suite struct ClientHelloTests {
    private enum Outcome: Equatable {
        case needMore
        case refused
        case name(String)
    }

    private static func read(_ bytes: [UInt8]) -> Outcome {
        switch bytes.withUnsafeBytes({ ClientHello.read($0) }) {
        case .needMore: .needMore
        case .refused: .refused
        case .complete(let hello): .name(String(decoding: hello.serverName, as: UTF8.self))
        }
    }

    @Test func theNameIsFoundAmongTheOtherExtensions() {
        #expect(Self.read(HelloBytes(name: "api.example.com").records) == .name("api.example.com"))
        #expect(Self.read(HelloBytes(name: "API.Example.Com").records) == .name("API.Example.Com"))
        #expect(Self.read(HelloBytes(name: nil).records) == .name(""))
        #expect(Self.read(HelloBytes(name: nil, hasExtensions: false).records) == .name(""))
    }

    @Test func everyPrefixNeedsMoreAndNothingBehindIsLookedAt() {
        let whole = HelloBytes(name: "a.example.com").records
        for length in 0..<whole.count {
            #expect(Self.read(Array(whole.prefix(length))) == .needMore, "\(length) bytes")
        }
        #expect(Self.read(whole + [23, 3, 3, 0, 1, 0]) == .name("a.example.com"))
    }

    @Test(arguments: [9, 40, 200])
    func aHelloInSeveralRecordsIsTheSame(fragment: Int) {
        let whole = HelloBytes(name: "a.example.com", fragment: fragment).records
        #expect(Self.read(whole) == .name("a.example.com"))
        for length in 0..<whole.count {
            #expect(Self.read(Array(whole.prefix(length))) == .needMore, "\(length) bytes")
        }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "\u{16}\u{2}\u{1}", "PROXY TCP4 ", "SSH-2.0-x\r\n",
        "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}",
    ])
    func whatIsNoHelloIsSeenAtOnce(text: String) {
        let bytes = Array(text.unicodeScalars.map { UInt8($0.value) })
        #expect(Self.read(bytes + [0, 0, 0]) == .refused)
    }

    @Test func lengthsThatDoNotFitAreRefused() {
        let good = HelloBytes(name: "a.example.com").records
        var refused = 0
        // Every byte of the framing, set to what it cannot be, is refused, waited for, or hides the name: never a crash.
        for index in good.indices {
            for value in [0, 1, 0x7F, 0xFF] as [UInt8] where good[index] != value {
                var bytes = good
                bytes[index] = value
                if Self.read(bytes) == .refused { refused += 1 }
            }
        }
        #expect(refused > 40)
    }

    @Test func twoNamesOrABrokenOneAreRefused() {
        #expect(Self.read(HelloBytes(name: "a.example.com", repeats: 2).records) == .refused)
        let long = String(repeating: "a", count: 256)
        for bad in ["", "a\u{0}.example.com", "a.example.com:443", "a b", "\u{7f}", long] {
            #expect(Self.read(HelloBytes(name: bad).records) == .refused, "\(bad)")
        }
        let longest = String(repeating: "a", count: 255)
        #expect(Self.read(HelloBytes(name: longest).records) == .name(longest))
    }

    @Test func aHelloIsBounded() {
        let padded = HelloBytes(name: "a.example.com", padding: 15_000).records
        #expect(padded.count <= ClientHello.maxBytes)
        #expect(Self.read(padded) == .name("a.example.com"))
        #expect(Self.read(HelloBytes(name: "a.example.com", padding: 17_000).records) == .refused)
    }

    @Test func theRecordsOfAHelloAreCounted() {
        let whole = HelloBytes(name: "a.example.com")
        let most = (whole.messageBytes + ClientHello.maxRecords - 1) / ClientHello.maxRecords
        #expect(Self.read(HelloBytes(name: "a.example.com", fragment: most).records) == .name("a.example.com"))
        #expect(Self.read(HelloBytes(name: "a.example.com", fragment: most - 1).records) == .refused)
    }

    @Test func noiseIsNeverTakenForAName() {
        var random = FastRandom(seed: 3)
        for _ in 0..<20_000 {
            var bytes = (0..<random.below(64)).map { _ in UInt8(random.below(256)) }
            if bytes.count > 5, random.below(2) == 0 { bytes.replaceSubrange(0..<3, with: [22, 3, 1]) }
            if case .name(let name) = Self.read(bytes) { #expect(name.utf8.count <= HostTable.maxHostBytes) }
        }
    }
}

/// A ClientHello as a client sends it.
struct HelloBytes {
    let records: [UInt8]
    /// Of the message without its records.
    let messageBytes: Int

    init(
        name: String?, fragment: Int = 16_000, hasExtensions: Bool = true, repeats: Int = 1, padding: Int = 0
    ) {
        func vector(_ lengthBytes: Int, _ bytes: [UInt8]) -> [UInt8] {
            (0..<lengthBytes).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes
        }
        var extensions: [UInt8] = [0, 23] + vector(2, [])
        if let name {
            let entry = [0] + vector(2, Array(name.utf8))
            for _ in 0..<repeats { extensions += [0, 0] + vector(2, vector(2, entry)) }
        }
        extensions += [0, 16] + vector(2, vector(2, vector(1, Array("h2".utf8))))
        if padding > 0 { extensions += [0, 21] + vector(2, [UInt8](repeating: 0, count: padding)) }
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32)
        body += vector(1, [UInt8](repeating: 9, count: 32)) + vector(2, [0x13, 0x01]) + vector(1, [0])
        if hasExtensions { body += vector(2, extensions) }
        let message = [1] + vector(3, body)
        messageBytes = message.count
        var records: [UInt8] = []
        var rest = message[...]
        while !rest.isEmpty {
            records += [22, 3, 1] + vector(2, Array(rest.prefix(fragment)))
            rest = rest.dropFirst(fragment)
        }
        self.records = records
    }
}

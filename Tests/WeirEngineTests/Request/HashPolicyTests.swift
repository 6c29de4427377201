import Testing

@testable import WeirEngine

/// What a policy makes of a request's bytes.
@Suite struct HashPolicyTests {
    /// The hash of what the policy finds in a request, or `nil`.
    private func hash(
        _ policy: HashPolicy, _ target: String = "/", _ lines: String..., peer: String = "192.0.2.7"
    ) throws -> UInt64? {
        let table = HashPolicyTable([[policy]])
        var bytes = Array("GET \(target) HTTP/1.1\r\nHost: a.example:8080\r\n".utf8)
        for line in lines { bytes += Array("\(line)\r\n".utf8) }
        bytes += [13, 10]
        let head = RequestHead()
        defer { head.free() }
        var parser = H1Parser()
        let count = bytes.count
        let result = bytes.withUnsafeMutableBufferPointer { room -> UInt64?? in
            guard parser.parseRequest(room.baseAddress!, count: count, into: head) == .complete(consumed: count),
                let peer = SocketAddress(numericHost: peer, port: 5_000)
            else { return nil }
            var downstream = DownstreamInfo(peer: peer, listener: 0, scheme: .http)
            return .some(table[0][0].hash(head, &downstream))
        }
        return try #require(result)
    }

    private func hashed(_ text: String, seed: UInt64 = 0) -> UInt64 { text.withBytes { XXHash64.hash($0, seed: seed) } }

    @Test func headers() throws {
        let policy = HashPolicy.header("x-user")
        #expect(try hash(policy) == nil)
        #expect(try hash(policy, "/", "X-User: alice") == hashed("alice"))
        #expect(try hash(policy, "/", "X-User:") == hashed(""))
        #expect(try hash(policy, "/", "x-users: alice", "x-use: bob") == nil)
    }

    @Test func linesOfOneHeaderCountInWhateverOrderTheyCome() throws {
        let policy = HashPolicy.header("x-user")
        let both = hashed("b", seed: hashed("a"))
        #expect(try hash(policy, "/", "x-user: a", "x-other: c", "x-user: b") == both)
        #expect(try hash(policy, "/", "x-user: b", "x-user: a") == both)
        let three = hashed("ab", seed: hashed("a", seed: hashed("")))
        #expect(try hash(policy, "/", "x-user: ab", "x-user: a", "x-user:") == three)
    }

    @Test func pseudoHeaders() throws {
        #expect(try hash(.header(":authority"), "/a") == hashed("a.example:8080"))
        #expect(try hash(.header("host"), "/a") == hashed("a.example:8080"))
        #expect(try hash(.header(":path"), "/a?b=c") == hashed("/a?b=c"))
        #expect(try hash(.header(":method"), "/a") == hashed("GET"))
        #expect(try hash(.header(":scheme"), "/a") == hashed("http"))
    }

    @Test func parameters() throws {
        let policy = HashPolicy.query("id")
        #expect(try hash(policy, "/a?x=1&id=7&id=8") == hashed("7"))
        #expect(try hash(policy, "/a?id=%37") == hashed("%37"))
        #expect(try hash(policy, "/a?id") == hashed(""))
        #expect(try hash(policy, "/a?ID=7&idx=8") == nil)
        #expect(try hash(policy, "/id=7") == nil)
    }

    @Test func sourceAddresses() throws {
        #expect(try hash(.sourceAddress) == hashed("192.0.2.7"))
        #expect(try hash(.sourceAddress, peer: "2001:db8::1") == hashed("2001:db8::1"))
        #expect(try hash(.sourceAddress, peer: "::ffff:192.0.2.7") == hashed("192.0.2.7"))
    }

    @Test(
        arguments: [
            ("sid=1", "1"), ("a=b; sid=1", "1"), ("a=b;sid=1;c=d", "1"), ("sid=\"1\"", "1"), ("sid=a=b", "a=b"),
            ("sid=1; sid=2", "1"), ("x; sid=1", "1"), ("sid=\"", "\""), ("  sid=1 ", "1"), ("sid=1 ; b=c", "1 "),
            ("SID=1", nil), ("sid", nil), ("sid=", nil), ("sid=\"\"", nil), ("sid =1", nil), ("xsid=1", nil),
            ("sid=; sid=2", nil), (";;=;", nil), ("=1", nil),
        ] as [(String, String?)])
    func cookies(_ line: String, _ value: String?) throws {
        let policy = HashPolicy.cookie(HashPolicy.Cookie(name: "sid"))
        #expect(try hash(policy, "/", "Cookie: \(line)") == value.map { hashed($0) })
        #expect(try hash(policy, "/", "Cookie: a=b", "Cookie: \(line)") == value.map { hashed($0) })
    }

    @Test func noCookieIsNone() throws {
        #expect(try hash(.cookie(HashPolicy.Cookie(name: "sid"))) == nil)
    }

    @Test func nothingIsFoundInWhatDoesNotGoUpstream() throws {
        let table = HashPolicyTable([[.header("x-user")]])
        let head = RequestHead()
        defer { head.free() }
        head.block.append(.other, "x-user", value: "a")
        head.block.fields[0].removed = true
        let peer = try #require(SocketAddress(numericHost: "192.0.2.7", port: 1))
        var downstream = DownstreamInfo(peer: peer, listener: 0, scheme: .http)
        #expect(table[0][0].hash(head, &downstream) == nil)
    }

    @Test func aRouteHasUpTo32Policies() {
        let table = HashPolicyTable([
            [.sourceAddress], (0..<40).map { HashPolicy.header("h\($0)") }, [.query("q"), .header("last")],
        ])
        #expect(table[0].count == 1 && table[1].count == HashPolicyTable.maxPerRoute && table[2].count == 2)
        #expect(String(decoding: table[1][15].name, as: UTF8.self) == "h15")
        #expect(String(decoding: table[2][1].name, as: UTF8.self) == "last")
        #expect(HashPolicyTable.maxPerRoute <= UInt32.bitWidth)
    }
}

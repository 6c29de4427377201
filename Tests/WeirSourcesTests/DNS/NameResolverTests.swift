import Testing
import WeirEngine
import WeirTestSupport

@testable import WeirSources

/// The resolver against a name server of the test's own.
@Suite struct NameResolverTests {
    private func targets(_ texts: String...) -> [EndpointTarget] { texts.map { EndpointTarget($0)! } }

    @Test func bothFamiliesAreLookedUp() throws {
        let fixture = try ResolverFixture(["a.test": .addresses(["10.0.0.2", "fd00::1", "10.0.0.1"])])
        fixture.want("a.test")
        #expect(fixture.sees { $0.answer("a.test").addresses == targets("10.0.0.1", "10.0.0.2", "fd00::1") })
        #expect(fixture.answer("a.test").first == targets("10.0.0.2")[0])
        #expect(fixture.resolver.hasTold(of: "a.test") && !fixture.resolver.hasTold(of: "b.test"))
    }

    @Test func anAnswerIsAskedForAgainWhenItRunsOut() throws {
        let fixture = try ResolverFixture(["a.test": .addresses(["10.0.0.1"], ttl: 1)])
        fixture.want("a.test")
        #expect(fixture.sees { $0.answer("a.test").addresses == targets("10.0.0.1") })
        fixture.server.say(.addresses(["10.0.0.2"], ttl: 3600), of: "a.test")
        #expect(fixture.sees { $0.answer("a.test").addresses == targets("10.0.0.2") })
        #expect(fixture.server.questions("a.test") > 1)
    }

    @Test func anAnswerThatOnlyMovedItsAddressesIsTellingNothing() throws {
        let fixture = try ResolverFixture(["a.test": .addresses(["10.0.0.1", "10.0.0.2"], ttl: 1)])
        fixture.want("a.test")
        #expect(fixture.sees { $0.server.questions("a.test") > 1 })
        fixture.server.say(.addresses(["10.0.0.1", "10.0.0.2"], ttl: 1), of: "a.test")
        #expect(fixture.sees { $0.server.questions("a.test") > 2 })
        #expect(fixture.told.count { $0 == "a.test" } == 1)
    }

    @Test(arguments: [UInt8(2), 4, 5])
    func aServerThatFailsTakesNothingAway(code: UInt8) throws {
        let fixture = try ResolverFixture(["a.test": .addresses(["10.0.0.1"], ttl: 1)])
        fixture.want("a.test")
        #expect(fixture.sees { !$0.answer("a.test").addresses.isEmpty })
        fixture.server.say(.code(code), of: "a.test")
        #expect(fixture.sees { $0.answer("a.test").problem?.contains("no name server answers") == true })
        #expect(fixture.answer("a.test").addresses == targets("10.0.0.1"))
        #expect(
            fixture.resolver.counts.withLock { $0 }.stale == 1 && fixture.resolver.counts.withLock { $0 }.failed > 0)
    }

    @Test(arguments: [NameServer.Reply.code(3), .addresses([])])
    func aServerThatKnowsOfNoneTakesThemAwayAndIsAskedAgainSoon(reply: NameServer.Reply) throws {
        let fixture = try ResolverFixture(["a.test": .addresses(["10.0.0.1"], ttl: 1)])
        fixture.want("a.test")
        #expect(fixture.sees { !$0.answer("a.test").addresses.isEmpty })
        fixture.server.say(reply, of: "a.test")
        #expect(fixture.sees { $0.answer("a.test").addresses.isEmpty })
        #expect(fixture.answer("a.test").first == targets("10.0.0.1")[0])
        fixture.server.say(.addresses(["10.0.0.3"]), of: "a.test")
        #expect(fixture.sees { $0.answer("a.test").addresses == targets("10.0.0.3") })
    }

    @Test(arguments: [
        NameServer.Reply.silence, .bytes([]), .bytes([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xC0, 0x0C]),
        .bytes([UInt8](repeating: 0xFF, count: 300)),
    ])
    func silenceAndRubbishAreFailuresAndOtherNamesDoNotWaitForThem(reply: NameServer.Reply) throws {
        let fixture = try ResolverFixture(["bad.test": reply, "good.test": .addresses(["10.0.0.1"])])
        fixture.want("bad.test", "good.test")
        #expect(fixture.sees { !$0.answer("good.test").addresses.isEmpty })
        #expect(fixture.sees { $0.answer("bad.test").problem != nil })
        #expect(fixture.answer("bad.test").addresses.isEmpty)
        fixture.server.say(.addresses(["10.0.0.2"]), of: "bad.test")
        #expect(
            fixture.sees {
                $0.answer("bad.test") == NameAnswer(addresses: targets("10.0.0.2"), first: targets("10.0.0.2")[0])
            })
    }

    @Test func anAnswerTooLongForADatagramComesOverTCP() throws {
        let many = (0..<600).map { "10.1.\($0 / 250).\($0 % 250 + 1)" }
        let fixture = try ResolverFixture(["many.test": .addresses(many)])
        fixture.want("many.test")
        #expect(fixture.sees { $0.answer("many.test").addresses.count == 600 })
    }

    @Test func ofOneAnswerSoManyAddressesAreTaken() throws {
        let many = (0..<DNSChannel.maxAddresses + 100).map { "10.1.\($0 / 250).\($0 % 250 + 1)" }
        let fixture = try ResolverFixture(["many.test": .addresses(many)])
        fixture.want("many.test")
        #expect(fixture.sees { $0.answer("many.test").addresses.count == DNSChannel.maxAddresses })
    }

    @Test func aliasesAreFollowedAndTheShortestTTLCounts() throws {
        let fixture = try ResolverFixture([
            "a.test": .aliases([("b.test", 3600), ("c.test", 1), ("d.test", 3600)], ["10.0.0.4"], ttl: 3600)
        ])
        fixture.want("a.test")
        #expect(fixture.sees { $0.answer("a.test").addresses == targets("10.0.0.4") })
        #expect(fixture.sees { $0.server.questions("a.test") > 1 })
    }

    @Test func namesThatNobodyWantsAreNotAskedForAnyMore() throws {
        let fixture = try ResolverFixture([
            "a.test": .addresses(["10.0.0.1"], ttl: 1), "b.test": .addresses(["10.0.0.2"], ttl: 1),
            "slow.test": .silence,
        ])
        fixture.want("a.test", "b.test", "slow.test")
        #expect(fixture.sees { !$0.answer("a.test").addresses.isEmpty })
        // Its lookup is under way.
        fixture.want("b.test")
        let before = fixture.server.questions("a.test")
        #expect(fixture.sees { $0.server.questions("b.test") > 3 })
        #expect(fixture.server.questions("a.test") <= before + 1)
        #expect(fixture.resolver.counts.withLock { $0 }.names == 1)
    }

    @Test func whatCannotBeANameIsNotAskedFor() throws {
        let fixture = try ResolverFixture([:])
        let long = Array(repeating: "abcdefgh", count: 40).joined(separator: ".")
        fixture.want("", "a b", "nul\0.test", long, "\(String(repeating: "x", count: 64)).test")
        #expect(fixture.sees { fixture in fixture.answers.count == 5 })
        #expect(fixture.answers.values.allSatisfy { $0.problem?.contains("cannot be a domain name") == true })
        #expect(fixture.server.questions("nul") == 0)
    }

    @Test func namesBeyondTheLimitAreRefusedUntilThereIsRoom() throws {
        let fixture = try ResolverFixture([:])
        let names = (0...NameResolver.maxNames).map { "name-\($0 + 100_000).test" }
        fixture.resolver.want(Set(names))
        fixture.resolver.tell()
        let last = names[names.count - 1]
        #expect(fixture.answer(last).problem?.contains("10000 names") == true)
        fixture.server.say(.addresses(["10.0.0.1"]), of: last)
        fixture.want(last)
        #expect(fixture.sees { !$0.answer(last).addresses.isEmpty })
    }

    @Test func manyNamesAreAskedForAFewAtATime() throws {
        let names = (0..<500).map { "n\($0).test" }
        let fixture = try ResolverFixture(
            Dictionary(uniqueKeysWithValues: names.map { ($0, .addresses(["10.0.0.1"])) }))
        fixture.resolver.want(Set(names))
        #expect(fixture.sees { $0.answers.count == 500 })
        #expect(fixture.answers.values.allSatisfy { $0.addresses.count == 1 })
        #expect(fixture.resolver.counts.withLock { $0 }.resolved == 500)
    }

    @Test func namesOfTheHostsFileAreFound() throws {
        let fixture = try ResolverFixture([:], families: [.ipv4])
        fixture.want("localhost")
        #expect(fixture.sees { $0.answer("localhost").addresses == targets("127.0.0.1") })
    }

    @Test func aServerThatIsNotThereIsAFailure() throws {
        let fixture = try ResolverFixture([:], servers: "127.0.0.1:\(try TestPort.free())")
        fixture.want("a.test")
        #expect(fixture.sees { $0.answer("a.test").problem != nil })
    }

    @Test func anotherResolvConfIsReadBeforeTheNextLookup() throws {
        let directory = TestDirectory()
        directory.write("resolv.conf", "search one.test\n")
        let fixture = try ResolverFixture(
            ["a.one.test": .addresses(["10.0.0.1"], ttl: 1), "a.two.test": .addresses(["10.0.0.2"], ttl: 1)],
            resolvConf: directory.place("resolv.conf"))
        fixture.want("a")
        #expect(fixture.sees { $0.answer("a").addresses == targets("10.0.0.1") })
        directory.replace("resolv.conf", "search two.test other.test\n")
        #expect(fixture.sees { $0.answer("a").addresses == targets("10.0.0.2") })
    }

    @Test func lookupsUnderWayEndWithTheResolver() throws {
        let fixture = try ResolverFixture(["slow.test": .silence])
        fixture.want("slow.test")
        #expect(fixture.sees { $0.server.questions("slow.test") > 0 })
        fixture.resolver.stop()
        fixture.want("other.test")
        #expect(fixture.answers.isEmpty)
    }
}

/// A resolver on a loop that runs only while a test waits.
private final class ResolverFixture {
    let server: NameServer
    let loop = ControlLoop()
    let resolver: NameResolver
    private(set) var answers: [String: NameAnswer] = [:]
    /// In the order told.
    private(set) var told: [String] = []

    init(
        _ replies: [String: NameServer.Reply], families: [AddressFamily] = AddressFamily.allCases,
        servers: String? = nil, resolvConf: String? = nil
    ) throws {
        server = try NameServer(replies)
        var options = NameResolverOptions()
        options.servers = servers ?? server.address
        // The machine's own search list is not for tests.
        options.resolvConf = resolvConf ?? "/dev/null"
        options.timeoutMilliseconds = 100
        options.attempts = 1
        options.families = families
        options.pace = 0.05
        resolver = NameResolver(loop: loop, options: options)
        resolver.changed = { [unowned self] changes in
            answers.merge(changes) { $1 }
            told += changes.keys
        }
    }

    deinit { resolver.stop() }

    func want(_ names: String...) { resolver.want(Set(names)) }

    func answer(_ name: String) -> NameAnswer { answers[name] ?? NameAnswer() }

    /// Runs the loop until a condition holds, looked at often; `false` when it did not in time.
    func sees(_ condition: (ResolverFixture) -> Bool) -> Bool {
        let limit = SystemClock.now + StoreFixture.deadlineSeconds
        while !condition(self) {
            guard SystemClock.now < limit else { return false }
            let wake = loop.schedule(after: 0.005) { [loop] in loop.handle.stop() }
            loop.run()
            wake.cancel()
        }
        return true
    }
}

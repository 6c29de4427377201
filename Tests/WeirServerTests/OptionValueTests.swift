import Logging
import Testing

@testable import WeirServer

/// What operators type, read strictly.
@Suite struct OptionValueTests {
    @Test(arguments: [
        ("127.0.0.1:15000", "127.0.0.1", 15000), ("0.0.0.0:0", "0.0.0.0", 0), ("[::1]:80", "::1", 80),
        ("localhost:65535", "localhost", 65535),
    ])
    func readsAddresses(text: String, host: String, port: Int) throws {
        let address = try HostPort(text)
        #expect(address == HostPort(host: host, port: port))
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "80", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8o", "::1:80",
        "example.com:80",
        "127.0.0.1:+1", "[127.0.0.1:80",
    ])
    func refusesWhatIsNoAddress(text: String) {
        #expect(throws: OptionError.self) { try HostPort(text) }
    }

    @Test func readsPortMappings() throws {
        #expect(try OptionValue.portMap([]) == [:])
        #expect(try OptionValue.portMap(["80=8080", "443=8443"]) == [80: 8080, 443: 8443])
    }

    @Test(arguments: [
        ["80"], ["80="], ["=80"], ["80=8080=1"], ["0=1"], ["80=65536"], ["a=b"], ["80=1", "80=2"], ["+80=81"],
    ])
    func refusesOddPortMappings(texts: [String]) {
        #expect(throws: OptionError.self) { try OptionValue.portMap(texts) }
    }

    @Test func readsServerNames() throws {
        #expect(try OptionValue.serverName("weir") == "weir")
        #expect(try OptionValue.serverName("pass") == nil)
        for text in ["", "two\r\nlines", " x", "x ", "é"] {
            #expect(throws: OptionError.self) { try OptionValue.serverName(text) }
        }
    }

    @Test func readsOffAndLevels() throws {
        #expect(try OptionValue.addressOrOff("off") == nil)
        #expect(try OptionValue.addressOrOff("127.0.0.1:1") == HostPort(host: "127.0.0.1", port: 1))
        #expect(try OptionValue.logLevel("Warning") == .warning)
        #expect(throws: OptionError.self) { try OptionValue.logLevel("loud") }
    }

    @Test func aTakeoverPathFitsASocket() throws {
        let longest = "/" + String(repeating: "x", count: 106)
        #expect(try OptionValue.takeoverPath(longest) == longest)
        for wrong in ["", longest + "x", "/run/a\0b"] {
            #expect(throws: OptionError.self) { try OptionValue.takeoverPath(wrong) }
        }
    }

    @Test func trustedHopsAreBounded() throws {
        for good in [0, 1, 100] { #expect(try OptionValue.trustedHops(good) == good) }
        for wrong in [-1, 101] { #expect(throws: OptionError.self) { try OptionValue.trustedHops(wrong) } }
    }

    @Test func aLocalityHasOneToThreeParts() throws {
        for good in ["europe", "europe/north", "europe/north/rack-1"] {
            #expect(try OptionValue.locality(good) == good)
        }
        for wrong in ["", "/", "europe/", "a/b/c/d", "europe/*"] {
            #expect(throws: OptionError.self) { try OptionValue.locality(wrong) }
        }
    }
}

import Testing
import WeirEngine

@testable import WeirServer

/// The packets between two processes.
@Suite struct TakeoverMessageTests {
    @Test(arguments: [
        TakeoverMessage.hello, .next, .released, .sockets([], more: false),
        .sockets([.gateway, .gateway, .admin, .health, .metrics, .takeover], more: true),
        .ready(kept: [true, false, true]), .ready(kept: []), .refused("the reason"),
    ])
    func whatIsWrittenIsRead(message: TakeoverMessage) throws {
        #expect(try TakeoverMessage(message.bytes) == message)
    }

    @Test func everyKindFitsIntoAPacket() {
        let all = [Bool](repeating: true, count: TakeoverMessage.maxSockets)
        #expect(TakeoverMessage.ready(kept: all).bytes.count <= TakeoverMessage.maxBytes)
        let batch = [ListenerRole](repeating: .gateway, count: TakeoverMessage.socketsPerMessage)
        #expect(TakeoverMessage.sockets(batch, more: true).bytes.count <= TakeoverMessage.maxBytes)
    }

    @Test func reasonsAreCut() throws {
        let long = String(repeating: "x", count: 2 * TakeoverMessage.maxReasonBytes)
        let read = try TakeoverMessage(TakeoverMessage.refused(long).bytes)
        #expect(read == .refused(String(long.prefix(TakeoverMessage.maxReasonBytes))))
    }

    @Test(arguments: [
        [], Array("WEIR".utf8), Array("HTTP/1".utf8), Array("WEIR".utf8) + [1, 0], Array("WEIR".utf8) + [1, 99],
        Array("WEIR".utf8) + [1, 2], Array("WEIR".utf8) + [1, 2, 0, 77],
        Array("WEIR".utf8) + [1, 2, 0] + [UInt8](repeating: 0, count: TakeoverMessage.socketsPerMessage + 1),
        Array("WEIR".utf8) + [1, 4] + [UInt8](repeating: 0, count: TakeoverMessage.maxSockets + 1),
    ])
    func whatIsNoMessageIsRefused(packet: [UInt8]) {
        #expect(throws: TakeoverError.self) { try TakeoverMessage(packet) }
    }

    @Test func anotherVersionIsNamedAndItsRefusalUnderstood() throws {
        var packet = TakeoverMessage.hello.bytes
        packet[4] = 9
        #expect {
            try TakeoverMessage(packet)
        } throws: {
            "\($0)".contains("version 9")
        }
        var refusal = TakeoverMessage.refused("too old").bytes
        refusal[4] = 9
        #expect(try TakeoverMessage(refusal) == .refused("too old"))
    }
}

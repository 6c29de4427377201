import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// A peer that asks and asks, and does not read what it is told.
@Suite struct H2BackedUpTests {
    typealias Frame = H2TestFrame

    @Test func aPeerThatReadsTooLittleIsNotReadFurther() throws {
        var ends: [Int32] = [-1, -1]
        try #require(
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        let loop = Loop()
        let server = H2TestSession(role: .server, loop: loop, descriptor: ends[1])
        defer {
            Glibc.close(ends[0])
            server.close()
            loop.abandonClosing()
            loop.tick(wait: false)
        }
        let peer = RawPeer(descriptor: ends[0], loop: loop)
        // Windows that hold nothing back: what is sent waits for the socket.
        let window = Frame(Frame.settings, [0, 4, 0x7f, 0xff, 0xff, 0xff])
        peer.send(H2TestClient.preface + window.bytes + Frame.windowUpdate(0, by: 0x7fff_0000).bytes + Self.get(1))
        let first = try #require(server.streams[1])
        server.answer(first, status: "200", hasBody: true)
        for _ in 0..<64 { server.send([UInt8](repeating: 0x78, count: 16 * 1024), on: first) }
        for _ in 0..<50 { loop.tick(wait: false) }
        #expect(!server.isHoldingOff)
        // Those beyond what may be open are refused, each by a frame that waits.
        var number = 3
        while !server.isHoldingOff, number < 20_000 {
            peer.send((0..<100).flatMap { Self.get(number + 2 * $0) })
            number += 200
        }
        #expect(server.isHoldingOff)
        let heard = server.heard.count
        let waiting = peer.sendWhatFits(Self.get(number))
        for _ in 0..<50 { loop.tick(wait: false) }
        #expect(server.heard.count == heard)
        // Once it reads, it is read again.
        for _ in 0..<100_000 where server.isHoldingOff || (waiting && server.heard.count == heard) { peer.read() }
        #expect(!server.isHoldingOff && (!waiting || server.heard.count > heard))
    }

    private static func get(_ stream: Int) -> [UInt8] {
        H2TestClient.head(stream, H2TestClient.request()).bytes
    }

    /// The other end of the socket; lets the loop work while it says something.
    private struct RawPeer {
        let descriptor: Int32
        let loop: Loop

        /// Sends all of it, or as much as the loop takes in a while.
        func send(_ bytes: [UInt8]) {
            var rest = bytes[...]
            for _ in 0..<100 where !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
                if count > 0 { rest = rest.dropFirst(count) }
                loop.tick(wait: false)
            }
        }

        /// Whether all of it found room in the socket.
        func sendWhatFits(_ bytes: [UInt8]) -> Bool {
            bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) } == bytes.count
        }

        func read() {
            var room = [UInt8](repeating: 0, count: 65_536)
            _ = Glibc.recv(descriptor, &room, room.count, 0)
            loop.tick(wait: false)
        }
    }
}

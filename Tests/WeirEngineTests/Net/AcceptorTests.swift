import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

@Suite struct AcceptorTests {
    /// Keeps what it is given.
    private final class Owner: AcceptorOwner {
        var descriptors: [Int32] = []

        func accepted(_ descriptor: Int32, from peer: SocketAddress, slot: Int) { descriptors.append(descriptor) }
        deinit { for descriptor in descriptors { close(descriptor) } }
    }

    @Test func aFloodOfConnectionsIsTaken64AtATime() throws {
        let loop = Loop()
        let owner = Owner()
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
        let socket = try Socket.listen(address, shared: false)
        let port = Int(Socket.localAddress(socket).port)
        let acceptor = Acceptor(loop: loop, socket: socket, slot: 0, owner: owner)
        let clients = try (0..<100).map { _ in try TestSocket(port: port) }
        loop.tick(wait: true)
        #expect(owner.descriptors.count == 64)
        loop.tick(wait: true)
        #expect(owner.descriptors.count == 100)
        acceptor.close()
        withExtendedLifetime(clients) {}
    }

    /// A descriptor nothing can be accepted from fails as one does for which there are no descriptors left.
    @Test func afterAFailureAcceptingPausesFor50Milliseconds() throws {
        let loop = Loop()
        loop.holdTime()
        let owner = Owner()
        var pair: [Int32] = [0, 0]
        precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
        defer { close(pair[1]) }
        let acceptor = Acceptor(loop: loop, socket: pair[0], slot: 0, owner: owner)
        #expect(acceptor.isReading)
        var byte: UInt8 = 1
        #expect(write(pair[1], &byte, 1) == 1)
        loop.tick(wait: false)
        #expect(!acceptor.isReading)
        loop.advance(milliseconds: 49)
        #expect(!acceptor.isReading)
        loop.advance(milliseconds: 1)
        #expect(acceptor.isReading)
        acceptor.close()
        #expect(owner.descriptors.isEmpty)
    }
}

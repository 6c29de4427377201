import Glibc

@testable import WeirEngine

/// A loopback port whose accept queue is full: further attempts get no answer.
final class FullPort {
    let port: Int
    private let listener: Int32
    private var waiting: [Int32] = []

    init() throws {
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else {
            preconditionFailure("an address")
        }
        listener = try Socket.listen(address, shared: false)
        // A second call shortens the queue.
        listen(listener, 0)
        let bound = Socket.localAddress(listener)
        port = Int(bound.port)
        for _ in 0..<4 {
            if case .success(let attempt) = bound.withSockAddr({ Socket.connect($0, $1) }) {
                waiting.append(attempt.descriptor)
            }
        }
    }

    deinit { for fd in waiting + [listener] { close(fd) } }
}

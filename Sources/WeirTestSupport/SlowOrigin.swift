/// A backend in the middle of an answer for as long as a test wants: the way to have a request in flight.
package final class SlowOrigin: Sendable {
    /// What a request asks for, by its target.
    package enum Target {
        /// Nothing is sent before `finish`.
        package static let beforeHead = "/before-head"
        /// The head and half of the body are sent at once, the rest after `finish`.
        package static let insideBody = "/inside-body"
        package static let body = "first half, second half"
    }

    /// A request has arrived, and what its target wants at once was sent.
    package let hasBegun: TestSignal
    private let mayFinish: TestSignal
    private let origin: OriginServer

    /// Any other target is answered at once with itself.
    package init() throws {
        let hasBegun = TestSignal()
        let mayFinish = TestSignal()
        self.hasBegun = hasBegun
        self.mayFinish = mayFinish
        origin = try OriginServer { request, socket in
            let body = Target.body
            let head = "HTTP/1.1 200 OK\r\nx-backend: slow\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
            switch request.target {
            case Target.beforeHead:
                hasBegun.raise()
                try mayFinish.wait("the answer may be sent")
                try socket.send(head + body)
            case Target.insideBody:
                try socket.send(head + body.prefix(11))
                hasBegun.raise()
                try mayFinish.wait("the answer may be finished")
                try socket.send(String(body.dropFirst(11)))
            default:
                let target = request.target
                try socket.send("HTTP/1.1 200 OK\r\ncontent-length: \(target.utf8.count)\r\n\r\n\(target)")
            }
            return true
        }
    }

    deinit {
        mayFinish.raise()
        origin.stop()
    }

    package var port: Int { origin.port }
    package func finish() { mayFinish.raise() }
}

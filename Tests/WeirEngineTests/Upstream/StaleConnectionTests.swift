import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// A pooled connection that breaks before the kernel took a byte of the next request is replaced, and nobody notices.
@Suite struct StaleConnectionTests {
    /// Both are there in one wake-up, the request first: its bytes have not been written when the answer is read.
    @Test func anAnswerNobodyAskedForIsNotTakenForTheNextRequests() throws {
        let isAsked = Flag()
        let isSent = Flag()
        let connections = Guarded(0)
        let origin = try OriginServer(raw: { reader, socket in
            let isFirst = connections.withLock { count in
                count += 1
                return count == 1
            }
            while let head = try reader.nextHead() {
                let target = head.target
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(target.utf8.count)\r\n\r\n\(target)")
                guard isFirst else { continue }
                while !isAsked.isRaised { usleep(1000) }
                try socket.send("HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil")
                isSent.raise()
            }
        })
        defer { origin.stop() }
        let gateway = try SteppedGateway(origins: [origin.port])
        // The connection that takes over may have the place of the one it replaces.
        gateway.worker.maxUpstreams = 1
        var client = try gateway.client()
        try client.socket.send("GET /first HTTP/1.1\r\nHost: example.com\r\n\r\n")
        #expect(try gateway.answer(&client).text == "/first")
        // The kernel tells of what was ready last time first, unless it has been asked again.
        for _ in 0..<2 { gateway.worker.loop.tick(wait: false) }
        try client.socket.send("GET /second HTTP/1.1\r\nHost: example.com\r\n\r\n")
        isAsked.raise()
        try eventually("the unasked answer is sent") { isSent.isRaised }
        let answer = try gateway.answer(&client)
        #expect(answer.text == "/second" && answer["x-evil"] == nil)
        #expect(origin.acceptedConnections == 2)
    }

    /// Tells when it is about to open a connection to an endpoint.
    private final class WatchedWorker: Worker {
        var willOpen: () -> Void = {}

        override func hasRoomForUpstream() -> Bool {
            willOpen()
            return super.hasRoomForUpstream()
        }
    }

    @Test func whereConnectionsAreLimitedTheStaleOneIsClosedBeforeTheFreshOneOpens() throws {
        let isAsked = Flag()
        let isOver = Flag()
        let stale = Guarded<TestSocket?>(nil)
        let origin = try OriginServer(raw: { reader, socket in
            while let head = try reader.nextHead() {
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                guard head.target == "/first" else { continue }
                try eventually("the connection is in use again") { isAsked.isRaised }
                try socket.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
                stale.withLock { $0 = socket }
                try eventually("the test is over") { isOver.isRaised }
            }
        })
        defer { origin.stop() }
        defer { isOver.raise() }
        let mailbox = Mailbox<WorkerMessage>()
        let worker = WatchedWorker(
            index: 0, mailbox: mailbox, serverName: ServerName("weir"), retired: RetiredSnapshots(notify: {}))
        let shared = ClusterShared(workers: 1)
        let snapshot = MemoryServerConnection.snapshot(origin: origin.port, shared) { $0.limits.connections = 1 }
        mailbox.post(.adopt(snapshot, slots: [0], ticket: AdoptionTicket(workers: 1) {}))
        worker.loop.tick(wait: true)
        let connection = MemoryServerConnection(worker: worker)
        let first = connection.open(stream: 0, path: "/first", hasBody: false)
        first.grant(100)
        try eventually("the first answer") {
            worker.loop.tick(wait: false)
            return first.ended
        }
        // Its bytes are not written before the answer that nobody asked for is read.
        let second = connection.open(stream: 1, path: "/second", hasBody: false)
        second.grant(100)
        isAsked.raise()
        try eventually("the unasked answer is sent") { stale.withLock { $0 != nil } }
        var wasClosed: Bool?
        worker.willOpen = { wasClosed = stale.withLock { $0?.peerHasGone } }
        try eventually("the second answer") {
            worker.loop.tick(wait: false)
            return second.ended
        }
        worker.willOpen = {}
        #expect(wasClosed == true && origin.acceptedConnections == 2)
        #expect(shared.limits.connections.now == 1 && shared.limits.requests.now == 0)
        mailbox.post(.stop)
        worker.run()
    }

    @Test func aRequestOnAResetConnectionGoesOverAFreshOne() throws {
        let resets = Flag()
        let origin = try OriginServer { request, socket in
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            guard request.target == "/first" else { return true }
            // Keep-alive was promised; the connection is reset while it waits in the pool.
            while !resets.isRaised { usleep(1000) }
            socket.resetOnClose()
            socket.disconnect()
            return false
        }
        defer { origin.stop() }
        // The loop is driven by hand, so that the reset is there before the worker can have seen it.
        let mailbox = Mailbox<WorkerMessage>()
        let worker = Worker(
            index: 0, mailbox: mailbox, serverName: ServerName("weir"), retired: RetiredSnapshots(notify: {}))
        let snapshot = MemoryServerConnection.snapshot(origin: origin.port)
        mailbox.post(.adopt(snapshot, slots: [0], ticket: AdoptionTicket(workers: 1) {}))
        worker.loop.tick(wait: true)
        let connection = MemoryServerConnection(worker: worker)
        let first = connection.open(stream: 0, path: "/first", hasBody: false)
        first.grant(100)
        try eventually("the first answer") {
            worker.loop.tick(wait: false)
            return first.ended
        }
        resets.raise()
        try eventually("the origin has reset the connection") { origin.endedConnections == 1 }
        let second = connection.open(stream: 1, path: "/second", hasBody: true)
        second.grant(100)
        #expect(second.data(Array("body".utf8)))
        second.clientEnded()
        try eventually("the second answer") {
            worker.loop.tick(wait: false)
            return second.ended
        }
        let statuses = connection.sent.compactMap { frame in
            if case .head(let stream, let status) = frame { "\(stream) \(status)" } else { nil }
        }
        #expect(statuses == ["0 200", "1 200"])
        #expect(origin.acceptedConnections == 2)
        #expect(origin.requests.map(\.target) == ["/first", "/second"] && origin.requests.last?.text == "body")
        mailbox.post(.stop)
        worker.run()
    }
}

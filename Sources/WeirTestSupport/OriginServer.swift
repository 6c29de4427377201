import CWeir
import Glibc
import WeirEngine

/// A scripted backend on a free loopback port: a thread a connection, every request handed to the script.
package final class OriginServer: Sendable {
    /// Answers one request on its connection; `false` closes the connection.
    package typealias Script = @Sendable (TestMessage, TestSocket) throws -> Bool
    /// Has the connection from its first byte to its last.
    package typealias RawScript = @Sendable (inout TestReader, TestSocket) throws -> Void

    private struct State {
        var requests: [TestMessage] = []
        var connections: [TestSocket] = []
        var accepted = 0
        var ended = 0
        var isStopped = false
    }

    package let port: Int
    private let listener: Int32
    private let state = Guarded(State())
    private let script: Script
    private let raw: RawScript?

    package convenience init(_ script: @escaping Script) throws { try self.init(raw: nil, script) }

    /// An origin that decides itself when it reads what.
    package convenience init(raw: @escaping RawScript) throws { try self.init(raw: raw) { _, _ in false } }

    private init(raw: RawScript?, _ script: @escaping Script) throws {
        self.script = script
        self.raw = raw
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        // Inherited by its connections, so that the port is free again while they are still closing.
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw -> Int32 in
                guard bind(fd, raw, length) == 0, listen(fd, 1024) == 0 else { return -1 }
                return getsockname(fd, raw, &length)
            }
        }
        guard status == 0 else { throw TestSocketError(description: "no port for a test origin") }
        listener = fd
        port = Int(UInt16(bigEndian: address.sin_port))
        let thread = TestThread { [self] in acceptAll() }
        thread.start()
    }

    /// An origin that answers 200 with its name in `x-backend` and the request's target as body.
    package convenience init(name: String) throws {
        try self.init { request, socket in
            let body = request.target
            try socket.send(
                "HTTP/1.1 200 OK\r\nx-backend: \(name)\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)")
            return true
        }
    }

    /// Every request that was read whole, in order of arrival.
    package var requests: [TestMessage] { state.withLock { $0.requests } }
    package var acceptedConnections: Int { state.withLock { $0.accepted } }
    /// Connections whose other side has gone, or which the script closed.
    package var endedConnections: Int { state.withLock { $0.ended } }

    /// Refuses new connections and takes the open ones down.
    package func stop() {
        let open = state.withLock { state -> [TestSocket] in
            guard !state.isStopped else { return [] }
            state.isStopped = true
            // Wakes the accepting thread, which closes the listener.
            shutdown(listener, Int32(SHUT_RDWR))
            return state.connections
        }
        for socket in open { socket.shutDown() }
    }

    private func acceptAll() {
        while true {
            let fd = accept(listener, nil, nil)
            guard fd >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                break
            }
            let socket = TestSocket(adopting: fd)
            state.withLock {
                $0.connections.append(socket)
                $0.accepted += 1
            }
            TestThread { [self] in serve(socket) }.start()
        }
        close(listener)
    }

    private func serve(_ socket: TestSocket) {
        var reader = TestReader(socket)
        do {
            try raw?(&reader, socket)
            while raw == nil, let request = try reader.next() {
                if request.isTruncated { break }
                state.withLock { $0.requests.append(request) }
                guard try script(request, socket) else { break }
            }
        } catch {
            // A peer that went away, as some tests want it to.
        }
        socket.shutDown()
        state.withLock {
            $0.ended += 1
            $0.connections.removeAll { $0 === socket }
        }
    }
}

/// A detached thread with a closure.
package final class TestThread: Sendable {
    private let body: @Sendable () -> Void

    package init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    package func start() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &thread, nil,
            { raw in
                Unmanaged<TestThread>.fromOpaque(raw!).takeRetainedValue().body()
                return nil
            }, context)
        precondition(status == 0, "no thread for a test origin")
        pthread_detach(thread)
    }
}

/// Waits until `condition` holds, or fails after `seconds`; polls, so that a test never sleeps longer than it must.
package func eventually(_ what: String, seconds: Double = 15, _ condition: () throws -> Bool) throws {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let deadline = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 + seconds
    while try !condition() {
        clock_gettime(CLOCK_MONOTONIC, &now)
        guard Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 < deadline else {
            throw TestSocketError(description: "not within \(seconds) s: \(what)")
        }
        usleep(2_000)
    }
}

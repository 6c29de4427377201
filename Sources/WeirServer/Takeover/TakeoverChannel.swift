import CWeir
import Glibc
import WeirEngine

/// A unix socket between two processes of one user, over which messages and descriptors pass.
final class TakeoverChannel {
    /// What reading came to.
    enum Received {
        case message(TakeoverMessage, descriptors: [Int32])
        /// Nothing has come yet.
        case nothing
        case end
    }

    let descriptor: Int32

    /// Takes over a connected socket; throws when the peer is another user's.
    init(adopting descriptor: Int32) throws(TakeoverError) {
        self.descriptor = descriptor
        var user = uid_t.max
        guard weir_peer_user(descriptor, &user) == 0, user == geteuid() else {
            // `deinit` closes it: all members are set.
            throw TakeoverError("the process there belongs to user \(user), this one to user \(geteuid())")
        }
    }

    deinit { close(descriptor) }

    /// Sends at once: there is always room, since each side waits for the other's answer.
    func send(_ message: TakeoverMessage, _ descriptors: [Int32] = []) throws(TakeoverError) {
        let bytes = message.bytes
        let sent = weir_send_descriptors(descriptor, bytes, bytes.count, descriptors, Int32(descriptors.count))
        guard sent == bytes.count else { throw TakeoverError("sending failed: \(String(cString: strerror(errno)))") }
    }

    /// The next message if one is there; its descriptors are the caller's.
    func receive() throws(TakeoverError) -> Received {
        // What came before a peer closed without reading its last packets is behind one error.
        for _ in 0..<2 {
            if let received = try receiveOnce() { return received }
        }
        return .end
    }

    /// `nil` when the connection was reset.
    private func receiveOnce() throws(TakeoverError) -> Received? {
        var packet = [UInt8](repeating: 0, count: TakeoverMessage.maxBytes)
        var descriptors = [Int32](repeating: -1, count: TakeoverMessage.socketsPerMessage)
        var count = Int32(descriptors.count)
        let length = weir_receive_descriptors(descriptor, &packet, packet.count, &descriptors, &count)
        if length == 0 { return .end }
        guard length > 0 else {
            switch errno {
            case EAGAIN: return .nothing
            case ECONNRESET: return nil
            default: throw TakeoverError("receiving failed: \(String(cString: strerror(errno)))")
            }
        }
        let received = Array(descriptors.prefix(Int(count)))
        do throws(TakeoverError) {
            return .message(try TakeoverMessage(packet.prefix(length)), descriptors: received)
        } catch {
            for descriptor in received { close(descriptor) }
            throw error
        }
    }

    /// Waits for the next message or the peer's end, this long at most.
    func receive(withinSeconds seconds: Double) throws(TakeoverError) -> Received {
        let end = weir_clock_seconds(CLOCK_MONOTONIC) + seconds
        while true {
            let received = try receive()
            guard case .nothing = received else { return received }
            let left = end - weir_clock_seconds(CLOCK_MONOTONIC)
            guard left > 0 else { throw TakeoverError("the process there does not answer") }
            var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // Whether it was interrupted, timed out or succeeded, the next round finds out.
            _ = poll(&question, 1, Int32((left * 1000).rounded(.up)))
        }
    }
}

/// The path at which a process hands its sockets to the next.
enum TakeoverPath {
    /// Longest path of a unix socket.
    static let maxBytes = 107

    /// A socket connected to whoever listens at the path; `nil` when nobody does.
    static func connect(_ path: String) throws(TakeoverError) -> Int32? {
        let descriptor = try packetSocket()
        guard withAddress(path, { Glibc.connect(descriptor, $0, $1) }) != 0 else { return descriptor }
        let code = errno
        close(descriptor)
        switch code {
        case ENOENT, ECONNREFUSED:
            return nil
        case EACCES, EPERM:
            throw TakeoverError(
                "\(path) is not accessible for user \(geteuid()). Start as the user of the process that serves.")
        case EAGAIN:
            throw TakeoverError("the process that listens at \(path) does not answer")
        case ENOTSOCK, EPROTOTYPE:
            throw TakeoverError("the socket at \(path) is another program's. Give --takeover a path of its own.")
        default:
            throw TakeoverError("\(path): \(String(cString: strerror(code)))")
        }
    }

    /// Says why a socket could not be made at the path, as far as that can be told before it is.
    static func check(_ path: String) throws(TakeoverError) {
        var info = stat()
        if lstat(path, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFSOCK else {
                throw TakeoverError("\(path) is there and is no socket. Give --takeover a path of its own.")
            }
        } else if errno != ENOENT {
            throw TakeoverError("\(path): \(String(cString: strerror(errno)))")
        }
        let folder = Self.folder(of: path)
        guard stat(folder, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw TakeoverError("the folder \(folder) of \(path) does not exist. Create it, or give another path.")
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            throw TakeoverError(
                "no file can be made in \(folder) for \(path): \(String(cString: strerror(errno))). Let user \(geteuid()) write there."
            )
        }
    }

    /// Listens at the path, where only this user may connect; what an ended process left there goes.
    static func listen(_ path: String) throws(TakeoverError) -> Int32 {
        try check(path)
        let descriptor = try packetSocket()
        // A socket's file takes its mode from the socket.
        fchmod(descriptor, 0o600)
        // Our ports are ours alone, so whoever made the file does not serve any more.
        unlink(path)
        guard withAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let code = errno
            close(descriptor)
            throw TakeoverError("\(path): \(String(cString: strerror(code)))")
        }
        return descriptor
    }

    /// Processes that may wait at the path before they are answered.
    private static let backlog: Int32 = 8

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func packetSocket() throws(TakeoverError) -> Int32 {
        let descriptor = weir_packet_socket()
        guard descriptor >= 0 else { throw TakeoverError("no socket: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    private static func withAddress<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        precondition(path.utf8.count <= maxBytes, "the option's value was checked")
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

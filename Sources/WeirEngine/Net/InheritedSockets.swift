import CWeir
import Glibc

/// What a listening socket is for, as one process tells the next.
package enum ListenerRole: UInt8, Sendable, CaseIterable {
    /// A socket of a Gateway's port: one of several that share it.
    case gateway = 0
    case admin = 1
    case health = 2
    case metrics = 3
    /// Where the next process asks for all these.
    case takeover = 4
}

/// A listening socket and what it is for.
package struct OfferedSocket: Sendable, Equatable {
    package var role: ListenerRole
    package var descriptor: Int32

    package init(_ role: ListenerRole, _ descriptor: Int32) {
        self.role = role
        self.descriptor = descriptor
    }
}

/// Listening sockets that the process before this one has opened, until something here takes them over.
package final class InheritedSockets: Sendable {
    private struct Entry: Sendable {
        let role: ListenerRole
        let descriptor: Int32
        let address: SocketAddress
        var isTaken = false
        var isClosed = false
    }

    private let entries: Guarded<[Entry]>

    /// Takes the descriptors over; one that is no socket that listens for TCP is closed and kept by nobody.
    package init(_ sockets: [OfferedSocket]) {
        entries = Guarded(
            sockets.map { socket in
                var entry = Entry(
                    role: socket.role, descriptor: socket.descriptor,
                    address: Socket.localAddress(socket.descriptor))
                if socket.role != .takeover, weir_listens(socket.descriptor) == 0 {
                    Socket.close(socket.descriptor)
                    entry.isClosed = true
                }
                return entry
            })
    }

    deinit { closeRest() }

    /// By place in the list this was made from: whether it was taken.
    package var kept: [Bool] { entries.withLock { $0.map(\.isTaken) } }

    /// Local ports somebody listens on.
    var ports: Set<Int> { entries.withLock { Set($0.lazy.filter { !$0.isClosed }.map { Int($0.address.port) }) } }

    /// All sockets of a Gateway's port at exactly this address.
    func takeGateway(at address: SocketAddress) -> [Int32] {
        take { $0.role == .gateway && $0.address.text == address.text }
    }

    /// The socket of one of the process's own servers at this address; port 0 is whatever port that server had.
    func takeLocal(_ role: ListenerRole, at address: SocketAddress) -> Int32? {
        let isOwn = { (entry: Entry) in entry.role != .gateway && entry.role != .takeover }
        let same = take(most: 1) { isOwn($0) && $0.address.text == address.text }
        if let socket = same.first { return socket }
        guard address.port == 0 else { return nil }
        return take(most: 1) { $0.role == role && $0.address.hasSameHost(as: address) }.first
    }

    /// The socket where the next process asks.
    package func takeDoor() -> Int32? { take(most: 1) { $0.role == .takeover }.first }

    /// Closes what nobody has taken: the process before this one serves whoever waits there.
    package func closeRest() {
        entries.withLock { entries in
            for index in entries.indices where !entries[index].isTaken && !entries[index].isClosed {
                Socket.close(entries[index].descriptor)
                entries[index].isClosed = true
            }
        }
    }

    private func take(most: Int = .max, where matches: (Entry) -> Bool) -> [Int32] {
        entries.withLock { entries in
            var found: [Int32] = []
            for index in entries.indices where found.count < most {
                guard !entries[index].isTaken, !entries[index].isClosed, matches(entries[index]) else { continue }
                entries[index].isTaken = true
                found.append(entries[index].descriptor)
            }
            return found
        }
    }
}

extension SocketAddress {
    fileprivate func hasSameHost(as other: SocketAddress) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * Self.maxHostText) { room in
            guard let start = room.baseAddress else { return false }
            let length = writeHost(into: start)
            let others = other.writeHost(into: start + Self.maxHostText)
            return family == other.family && length == others && memcmp(start, start + Self.maxHostText, length) == 0
        }
    }
}

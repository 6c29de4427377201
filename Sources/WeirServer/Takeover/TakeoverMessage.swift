import WeirEngine

/// What two processes say to each other about their listening sockets, one message a packet.
///
/// The successor asks and the predecessor answers, so neither ever waits for room: hello, then `next` until all sockets
/// have come, then `ready`. A packet is `WEIR`, the version, the kind, and what the kind has.
enum TakeoverMessage: Equatable {
    /// The successor's first word; the answer is `sockets` or `refused`.
    case hello
    /// These sockets come with the message; `more`: ask for the next ones.
    case sockets([ListenerRole], more: Bool)
    case next
    /// The successor serves. By place among all sockets: whether it has kept it.
    case ready(kept: [Bool])
    /// The predecessor accepts no more.
    case released
    /// There will be no takeover, and why.
    case refused(String)

    static let version: UInt8 = 1
    private static let mark = Array("WEIR".utf8)

    /// Descriptors in one message; the kernel takes 253.
    static let socketsPerMessage = 64
    /// Sockets that can be handed over.
    static let maxSockets = 16_384
    /// Longest packet: what came of every socket.
    static let maxBytes = 17 * 1024
    /// Longest reason of a refusal.
    static let maxReasonBytes = 512

    private enum Kind: UInt8 {
        case hello = 1
        case sockets = 2
        case next = 3
        case ready = 4
        case released = 5
        case refused = 6
    }

    var bytes: [UInt8] {
        switch self {
        case .hello: packet(.hello)
        case .sockets(let roles, let more): packet(.sockets, [more ? 1 : 0] + roles.map(\.rawValue))
        case .next: packet(.next)
        case .ready(let kept): packet(.ready, kept.map { $0 ? 1 : 0 })
        case .released: packet(.released)
        case .refused(let reason): packet(.refused, Array(reason.utf8.prefix(Self.maxReasonBytes)))
        }
    }

    private func packet(_ kind: Kind, _ rest: [UInt8] = []) -> [UInt8] {
        Self.mark + [Self.version, kind.rawValue] + rest
    }

    /// Reads a packet; the error says what is wrong with it.
    ///
    /// A refusal is understood in any version, so that two that differ can say so.
    init(_ packet: some RandomAccessCollection<UInt8>) throws(TakeoverError) {
        let head = Array(packet.prefix(Self.mark.count + 2))
        guard head.count == Self.mark.count + 2, head.starts(with: Self.mark) else {
            throw TakeoverError("what came is not Weir's takeover protocol")
        }
        let rest = packet.dropFirst(head.count)
        let kind = Kind(rawValue: head[Self.mark.count + 1])
        if kind == .refused {
            self = .refused(String(decoding: rest.prefix(Self.maxReasonBytes), as: UTF8.self))
            return
        }
        guard head[Self.mark.count] == Self.version else {
            throw TakeoverError(
                "the other process speaks version \(head[Self.mark.count]) of the protocol, this one \(Self.version)")
        }
        switch kind {
        case .hello: self = .hello
        case .next: self = .next
        case .released: self = .released
        case .sockets:
            let roles = rest.dropFirst().compactMap { ListenerRole(rawValue: $0) }
            guard let more = rest.first, roles.count == rest.count - 1, roles.count <= Self.socketsPerMessage else {
                throw TakeoverError("a list of sockets is malformed")
            }
            self = .sockets(roles, more: more == 1)
        case .ready:
            guard rest.count <= Self.maxSockets else { throw TakeoverError("a list of kept sockets is too long") }
            self = .ready(kept: rest.map { $0 == 1 })
        case .refused, nil:
            throw TakeoverError("a message is of the unknown kind \(head[Self.mark.count + 1])")
        }
    }
}

/// Why sockets cannot be taken over or handed on; the text says what to do where something can be done.
struct TakeoverError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

import Glibc
import WeirEngine

/// A name server on a free loopback port, over UDP and TCP: says of each name what the test told it to.
///
/// It ends with the object.
package final class NameServer: Sendable {
    /// What it says of a name.
    package enum Reply: Sendable {
        /// Addresses of both families; a question gets those of its own.
        case addresses([String], ttl: UInt32 = 60)
        /// Aliases on the way to the addresses, each with its TTL.
        case aliases([(name: String, ttl: UInt32)], [String], ttl: UInt32 = 60)
        /// 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
        case code(UInt8)
        case silence
        /// These bytes behind the question's number.
        case bytes([UInt8])
    }

    private struct State {
        var replies: [String: Reply] = [:]
        var counts: [String: Int] = [:]
    }

    package let port: Int
    private let datagrams: Int32
    private let listener: Int32
    private let state: Guarded<State>
    private let threads: TestCrew

    package init(_ replies: [String: Reply] = [:]) throws {
        (datagrams, listener, port) = try Self.sockets()
        state = Guarded(State(replies: replies))
        threads = TestCrew(2) { [datagrams, listener, state] number in
            if number == 0 {
                Self.answerDatagrams(datagrams, state)
            } else {
                Self.answerConnections(listener, state)
            }
        }
    }

    deinit {
        // Wakes both threads: nothing is read after a shutdown.
        shutdown(datagrams, Int32(SHUT_RDWR))
        shutdown(listener, Int32(SHUT_RDWR))
        try? threads.join()
        close(datagrams)
        close(listener)
    }

    /// As resolvers are told it.
    package var address: String { "127.0.0.1:\(port)" }

    /// Of a name never told, NXDOMAIN.
    package func say(_ reply: Reply, of name: String) { state.withLock { $0.replies[name] = reply } }

    /// Questions about a name so far, of one family (`A`, `AAAA`).
    package func questions(_ name: String, _ type: String = "A") -> Int {
        state.withLock { $0.counts["\(name) \(type)"] ?? 0 }
    }

    // MARK: Sockets

    private static func sockets() throws -> (datagrams: Int32, listener: Int32, port: Int) {
        for _ in 0..<100 {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            if let port = bound(listener, port: 0), listen(listener, 16) == 0, bound(datagrams, port: port) != nil {
                return (datagrams, listener, port)
            }
            close(listener)
            close(datagrams)
        }
        throw TestSocketError(description: "no port for a name server")
    }

    private static func bound(_ descriptor: Int32, port: Int) -> Int? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, length) == 0 ? getsockname(descriptor, raw, &length) : -1
            }
        }
        return status == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }

    private static func answerDatagrams(_ descriptor: Int32, _ state: Guarded<State>) {
        var room = [UInt8](repeating: 0, count: 4096)
        while true {
            var peer = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = withUnsafeMutablePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &room, 4096, 0, $0, &length)
                }
            }
            guard count > 0 else { return }
            guard let answer = answer(to: Array(room[..<count]), limit: 512, state) else { continue }
            withUnsafePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = sendto(descriptor, answer, answer.count, 0, $0, length)
                }
            }
        }
    }

    /// One question a connection.
    private static func answerConnections(_ listener: Int32, _ state: Guarded<State>) {
        while true {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            defer { close(descriptor) }
            var room = [UInt8](repeating: 0, count: 4096)
            var have = 0
            while have < 2 || have < 2 + Int(room[0]) << 8 + Int(room[1]) {
                let count = room.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + have, 4096 - have, 0) }
                guard count > 0 else { break }
                have += count
            }
            guard have > 2, let answer = answer(to: Array(room[2..<have]), limit: 65_535, state) else { continue }
            let framed = [UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
            _ = send(descriptor, framed, framed.count, Int32(MSG_NOSIGNAL))
        }
    }

    // MARK: Messages (RFC 1035 §4)

    private static func answer(to question: [UInt8], limit: Int, _ state: Guarded<State>) -> [UInt8]? {
        guard let (name, type, end) = parse(question) else { return nil }
        let reply = state.withLock { state in
            state.counts["\(name) \(type == 28 ? "AAAA" : "A")", default: 0] += 1
            return state.replies[name] ?? .code(3)
        }
        let asked = Array(question[12..<end])
        func message(_ flags: UInt16, _ records: [[UInt8]]) -> [UInt8] {
            let head = question[..<2] + bytes(flags) + bytes(UInt16(1)) + bytes(UInt16(records.count)) + [0, 0, 0, 0]
            return head + asked + records.joined()
        }
        var records: [[UInt8]] = []
        switch reply {
        case .silence: return nil
        case .bytes(let bytes): return question[..<2] + bytes
        case .code(let code): return message(0x8180 | UInt16(code), [])
        case .addresses(let addresses, let ttl):
            records = Self.records(addresses, of: name, type, ttl)
        case .aliases(let aliases, let addresses, let ttl):
            var owner = name
            for alias in aliases {
                records.append(record(owner, 5, alias.ttl, encoded(alias.name)))
                owner = alias.name
            }
            records += Self.records(addresses, of: owner, type, ttl)
        }
        let whole = message(0x8180, records)
        // Truncated: the question comes again over TCP.
        return whole.count > limit ? message(0x8380, []) : whole
    }

    private static func parse(_ question: [UInt8]) -> (name: String, type: UInt16, end: Int)? {
        var labels: [String] = []
        var at = 12
        while at < question.count, question[at] > 0 {
            let end = at + 1 + Int(question[at])
            guard end < question.count else { return nil }
            labels.append(String(decoding: question[(at + 1)..<end], as: UTF8.self))
            at = end
        }
        guard at + 5 <= question.count else { return nil }
        return (
            labels.joined(separator: ".").lowercased(), UInt16(question[at + 1]) << 8 | UInt16(question[at + 2]), at + 5
        )
    }

    private static func records(_ addresses: [String], of name: String, _ type: UInt16, _ ttl: UInt32) -> [[UInt8]] {
        addresses.compactMap { text in
            var room = [UInt8](repeating: 0, count: 16)
            let isIPv6 = text.contains(":")
            guard isIPv6 == (type == 28), inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &room) == 1 else { return nil }
            return record(name, type, ttl, Array(room.prefix(isIPv6 ? 16 : 4)))
        }
    }

    private static func record(_ name: String, _ type: UInt16, _ ttl: UInt32, _ data: [UInt8]) -> [UInt8] {
        encoded(name) + bytes(type) + bytes(UInt16(1)) + bytes(UInt16(ttl >> 16))
            + bytes(UInt16(truncatingIfNeeded: ttl))
            + bytes(UInt16(data.count)) + data
    }

    private static func encoded(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    private static func bytes(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }
}

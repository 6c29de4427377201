/// What a TLS client says first, read for the name of the server it wants (RFC 8446 section 4.1.2, RFC 6066 section 3).
///
/// Nothing else is judged: whoever ends the connection's TLS does that.
enum ClientHello {
    enum Outcome: Equatable {
        case needMore
        /// Lower case; empty when the client names none.
        case serverName([UInt8])
        /// Bytes that are no hello, or one whose name can be read in two ways.
        case malformed
    }

    /// Longest name (RFC 1035 section 2.3.4).
    static let maxNameBytes = 255

    private static let handshakeRecord: UInt8 = 22
    private static let clientHello: UInt8 = 1
    private static let recordHeaderBytes = 5
    private static let serverNameExtension = 0

    /// Reads from the connection's first byte on; `limit` bounds the whole hello, its record headers included.
    static func read(_ bytes: UnsafeRawBufferPointer, limit: Int = StreamLimits.maxHelloBytes) -> Outcome {
        var hello: [UInt8] = []
        var wanted: Int?
        var at = 0
        while true {
            if let wanted, hello.count >= wanted { return name(in: hello.prefix(wanted)) }
            guard at < limit else { return .malformed }
            let header = bytes.dropFirst(at).prefix(recordHeaderBytes)
            if let first = header.first, first != handshakeRecord { return .malformed }
            guard header.count == recordHeaderBytes else { return .needMore }
            // The major version of all there are; a length of nothing is no fragment of a handshake.
            let length = Int(bytes[at + 3]) << 8 | Int(bytes[at + 4])
            guard bytes[at + 1] == 3, length > 0, length <= 16_384 else { return .malformed }
            at += recordHeaderBytes
            let fragment = bytes.dropFirst(at).prefix(length)
            hello += fragment
            if wanted == nil, hello.count >= 4 {
                guard hello[0] == clientHello else { return .malformed }
                let total = 4 + Int(hello[1]) << 16 + Int(hello[2]) << 8 + Int(hello[3])
                guard total <= limit else { return .malformed }
                wanted = total
            }
            if let first = hello.first, first != clientHello { return .malformed }
            guard fragment.count == length || hello.count >= wanted ?? .max else { return .needMore }
            at += length
        }
    }

    private static func name(in hello: ArraySlice<UInt8>) -> Outcome {
        var reader = Reader(hello.dropFirst(4))
        // Version and random.
        guard reader.skip(34), reader.vector(lengthBytes: 1) != nil, reader.vector(lengthBytes: 2) != nil,
            reader.vector(lengthBytes: 1) != nil
        else { return .malformed }
        if reader.isEmpty { return .serverName([]) }
        guard let list = reader.vector(lengthBytes: 2), reader.isEmpty else { return .malformed }
        var extensions = Reader(list)
        var found: [UInt8]?
        while !extensions.isEmpty {
            guard let type = extensions.number(bytes: 2), let body = extensions.vector(lengthBytes: 2) else {
                return .malformed
            }
            guard type == serverNameExtension else { continue }
            guard found == nil, let name = hostName(in: body) else { return .malformed }
            found = name
        }
        return .serverName(found ?? [])
    }

    /// The one name of the one type there is.
    private static func hostName(in body: ArraySlice<UInt8>) -> [UInt8]? {
        var reader = Reader(body)
        guard let list = reader.vector(lengthBytes: 2), reader.isEmpty else { return nil }
        var names = Reader(list)
        guard names.number(bytes: 1) == 0, let name = names.vector(lengthBytes: 2), names.isEmpty else { return nil }
        guard !name.isEmpty, name.count <= maxNameBytes else { return nil }
        // What can stand in a host name and in no address or port; the rest would be matched against nothing.
        guard name.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != ASCII.colon }) else { return nil }
        return name.map { CaseFold.lowercased($0) }
    }

    /// Numbers and vectors as TLS writes them (RFC 8446 section 3.4).
    private struct Reader {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

        var isEmpty: Bool { rest.isEmpty }

        mutating func skip(_ count: Int) -> Bool {
            guard rest.count >= count else { return false }
            rest = rest.dropFirst(count)
            return true
        }

        mutating func number(bytes count: Int) -> Int? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
        }

        mutating func vector(lengthBytes: Int) -> ArraySlice<UInt8>? {
            guard let length = number(bytes: lengthBytes), rest.count >= length else { return nil }
            defer { rest = rest.dropFirst(length) }
            return rest.prefix(length)
        }
    }
}

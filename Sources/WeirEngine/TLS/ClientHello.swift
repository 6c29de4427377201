/// The first message of a TLS client, as far as a server must read it before it knows who is meant (RFC 8446 section 4.1.2).
///
/// What is not looked at here, OpenSSL judges.
struct ClientHello {
    /// Bytes with their record headers.
    static let maxBytes = 16 * 1024
    /// Records it may be spread over.
    static let maxRecords = 16

    enum Result {
        case needMore
        /// Not TLS, or beyond the bounds.
        case refused
        case complete(ClientHello)
    }

    /// The name the client asks for as it wrote it, or empty (RFC 6066 section 3).
    let serverName: [UInt8]

    /// Reads the beginning of what a connection sends.
    static func read(_ bytes: UnsafeRawBufferPointer) -> Result {
        switch message(bytes) {
        case .needMore: return bytes.count < maxBytes ? .needMore : .refused
        case .refused: return .refused
        case .whole(let start, let count):
            let body = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)])
            return serverName(body).map { .complete(ClientHello(serverName: $0)) } ?? .refused
        case .pieces(let joined):
            return joined.withUnsafeBytes { serverName($0) }.map { .complete(ClientHello(serverName: $0)) } ?? .refused
        }
    }

    // MARK: Records

    private enum Message {
        case needMore
        case refused
        /// In one record: where it lies without its header.
        case whole(start: Int, count: Int)
        case pieces([UInt8])
    }

    private static let recordHeader = 5
    private static let messageHeader = 4

    /// The handshake message inside its records.
    private static func message(_ bytes: UnsafeRawBufferPointer) -> Message {
        var pieces: [UInt8] = []
        var offset = 0
        for record in 0..<maxRecords {
            guard bytes.count - offset >= recordHeader else {
                return looksLikeHandshake(bytes, at: offset) ? .needMore : .refused
            }
            let length = number16(bytes, offset + 3)
            guard looksLikeHandshake(bytes, at: offset), length > 0, length <= maxBytes else { return .refused }
            let start = offset + recordHeader
            // The kind of message is known from its first byte.
            if record == 0, bytes.count > start, bytes[start] != 1 { return .refused }
            guard bytes.count - start >= length else { return .needMore }
            if record == 0, length >= messageHeader {
                let count = number24(bytes, start + 1)
                if count <= length - messageHeader { return .whole(start: start + messageHeader, count: count) }
            }
            pieces.append(contentsOf: bytes[start..<(start + length)])
            if pieces.count >= messageHeader {
                let count = pieces.withUnsafeBytes { number24($0, 1) }
                guard count <= maxBytes else { return .refused }
                if pieces.count - messageHeader >= count {
                    return .pieces(Array(pieces[messageHeader..<(messageHeader + count)]))
                }
            }
            offset = start + length
        }
        return .refused
    }

    /// As far as the bytes go: a record of handshake messages, of a version that has such records.
    private static func looksLikeHandshake(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        (offset >= bytes.count || bytes[offset] == 22) && (offset + 1 >= bytes.count || bytes[offset + 1] == 3)
    }

    private static func number16(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int {
        Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
    }

    private static func number24(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int {
        Int(bytes[offset]) << 16 | number16(bytes, offset + 1)
    }

    // MARK: Fields

    /// The name in a hello; empty when it has none, `nil` when its fields do not fit into each other.
    private static func serverName(_ body: UnsafeRawBufferPointer) -> [UInt8]? {
        var fields = FieldReader(body)
        // Version and random value; then session id, cipher suites and compression methods.
        guard fields.skip(34), fields.vector(lengthBytes: 1) != nil, fields.vector(lengthBytes: 2) != nil,
            fields.vector(lengthBytes: 1) != nil
        else { return nil }
        if fields.isAtEnd { return [] }
        guard let extensions = fields.vector(lengthBytes: 2), fields.isAtEnd else { return nil }
        var list = FieldReader(extensions)
        var found: [UInt8]?
        while !list.isAtEnd {
            guard let kind = list.number16(), let content = list.vector(lengthBytes: 2) else { return nil }
            guard kind == 0 else { continue }
            // Twice the same would leave open which one counts.
            guard found == nil, let name = hostName(content) else { return nil }
            found = name
        }
        return found ?? []
    }

    private static func hostName(_ content: UnsafeRawBufferPointer) -> [UInt8]? {
        var outer = FieldReader(content)
        guard let names = outer.vector(lengthBytes: 2), outer.isAtEnd else { return nil }
        var list = FieldReader(names)
        while !list.isAtEnd {
            guard let kind = list.number8(), let name = list.vector(lengthBytes: 2) else { return nil }
            if kind == 0 { return isHostName(name) ? Array(name) : nil }
        }
        return nil
    }

    /// As far as it can be looked up and logged: visible, and without what could pass for a port.
    private static func isHostName(_ name: UnsafeRawBufferPointer) -> Bool {
        !name.isEmpty && name.count <= HostTable.maxHostBytes
            && name.allSatisfy { $0 > ASCII.space && $0 < 0x7f && $0 != ASCII.colon }
    }
}

/// Reads numbers and vectors with their length in front (RFC 8446 section 3.4).
private struct FieldReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func skip(_ count: Int) -> Bool {
        guard bytes.count - offset >= count else { return false }
        offset += count
        return true
    }

    mutating func number8() -> Int? {
        guard offset < bytes.count else { return nil }
        defer { offset += 1 }
        return Int(bytes[offset])
    }

    mutating func number16() -> Int? {
        guard let high = number8(), let low = number8() else { return nil }
        return high << 8 | low
    }

    mutating func vector(lengthBytes: Int) -> UnsafeRawBufferPointer? {
        guard let length = lengthBytes == 1 ? number8() : number16(), bytes.count - offset >= length else { return nil }
        defer { offset += length }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
    }
}

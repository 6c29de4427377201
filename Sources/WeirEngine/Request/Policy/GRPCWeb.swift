import Glibc

/// A gRPC-Web call on its way to a server of gRPC: what browsers cannot say in HTTP/2 is put into bodies (the gRPC-Web
/// protocol; Istio: servers of protocol GRPC-WEB).
///
/// Made for calls of this kind alone, so that no other request has to do with it.
final class GRPCWebCall {
    /// Content types `application/grpc-web`, `-text`, and both with a format behind a plus sign.
    enum Kind {
        case binary
        case text
    }

    /// A trailer block as the body's last message.
    static let trailerFlag: UInt8 = 0x80

    private let answersInText: Bool
    private var decoder: GRPCWebTextDecoder?
    private var encoder: GRPCWebTextEncoder?

    /// Makes the head of a gRPC-Web call (`isGRPCWeb`) one of gRPC.
    init(_ head: RequestHead) {
        let line = head.block.firstIndex(of: .contentType)
        let kind = line >= 0 ? Self.kind(head.block.fields[line].valueBytes) : nil
        decoder = kind == .text ? GRPCWebTextDecoder() : nil
        answersInText = Self.wantsText(head)
        encoder = answersInText ? GRPCWebTextEncoder() : nil
        head.block.remove(.contentType)
        head.block.append(.contentType, "content-type", value: "application/grpc")
        head.block.remove(.te)
        head.block.append(.te, "te", value: "trailers")
        head.block.remove("grpc-accept-encoding")
        head.block.append(.other, "grpc-accept-encoding", value: "identity,deflate,gzip")
        head.isGRPC = true
        // Text has another length.
        if decoder != nil, case .length(let length) = head.framing, length > 0 {
            head.block.remove(.contentLength)
            head.framing = .chunked
        }
    }

    /// What a content type says, its parameters left out.
    static func kind(_ value: UnsafeRawBufferPointer) -> Kind? {
        var type = value.prefix { $0 != ASCII.semicolon && $0 != UInt8(ascii: "+") && !ASCII.isBlank($0) }
        let base: StaticString = "application/grpc-web"
        guard let start = UnsafeRawBufferPointer(rebasing: type).baseAddress?.assumingMemoryBound(to: UInt8.self),
            ASCII.startsCaseless(start, count: type.count, base)
        else { return nil }
        type = type.dropFirst(base.utf8CodeUnitCount)
        if type.isEmpty { return .binary }
        let rest = UnsafeRawBufferPointer(rebasing: type)
        guard let start = rest.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        return ASCII.equalsCaseless(start, count: rest.count, "-text") ? .text : nil
    }

    /// Whoever takes text says so; the kind of the request does not count, as at Istio's gateway.
    private static func wantsText(_ head: RequestHead) -> Bool {
        head.block.lines.contains { !$0.removed && $0.token == .accept && kind($0.valueBytes) == .text }
    }

    // MARK: The request

    /// A piece of the call's body as gRPC has it, `nil` when it is no base64; may be empty.
    func request(_ slice: consuming ByteSlice, _ pool: BufferPool) -> ByteSlice? {
        guard decoder != nil else { return consume slice }
        let room = pool.take(minimum: GRPCWebTextDecoder.bound(slice.count))
        guard let length = decoder?.decode(slice.buffer, into: room.bytes) else {
            room.release()
            return nil
        }
        return ByteSlice(adopting: room, start: 0, count: length)
    }

    /// Whether the call's body may end here.
    var requestIsWhole: Bool { decoder?.isWhole ?? true }

    // MARK: The answer

    /// Makes the head of a gRPC answer one of gRPC-Web.
    func answer(_ head: ResponseHead) {
        let line = head.block.firstIndex(of: .contentType)
        guard line >= 0, Self.isGRPC(head.block.fields[line].valueBytes) else {
            // A server that does not speak gRPC is heard as it is.
            encoder = nil
            isPlain = true
            return
        }
        head.block.remove(.contentType)
        let type: StaticString = answersInText ? "application/grpc-web-text+proto" : "application/grpc-web+proto"
        head.block.append(.contentType, "content-type", value: type)
        head.block.remove("trailer")
        guard !head.framing.isEmpty else { return }
        // What follows is longer than was said.
        head.block.remove(.contentLength)
        head.framing = .chunked
    }

    private var isPlain = false

    private static func isGRPC(_ value: UnsafeRawBufferPointer) -> Bool {
        guard let start = value.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
        let type: StaticString = "application/grpc"
        guard ASCII.startsCaseless(start, count: value.count, type) else { return false }
        return value.count == type.utf8CodeUnitCount || start[type.utf8CodeUnitCount] != UInt8(ascii: "-")
    }

    /// A piece of the answer's body; may be empty.
    func answer(_ slice: consuming ByteSlice, _ pool: BufferPool) -> ByteSlice {
        guard encoder != nil else { return slice }
        let room = pool.take(minimum: GRPCWebTextEncoder.bound(slice.count))
        let length = encoder?.encode(slice.buffer, into: room.bytes) ?? 0
        return ByteSlice(adopting: room, start: 0, count: length)
    }

    /// What is left at the end of the answer's body, if anything.
    func finish(_ pool: BufferPool) -> ByteSlice? {
        guard encoder != nil else { return nil }
        let room = pool.take(minimum: 4)
        let length = encoder?.finish(into: room.bytes) ?? 0
        let slice = ByteSlice(adopting: room, start: 0, count: length)
        return length > 0 ? consume slice : nil
    }

    /// Trailers as the last message of the body; `nil` where they stay trailers.
    func answer(_ trailers: Trailers, _ pool: BufferPool) -> ByteSlice? {
        guard !isPlain else { return nil }
        var length = 0
        for field in trailers.block.lines where !field.removed {
            length += Int(field.nameLength) + Int(field.valueLength) + 3
        }
        let message = pool.take(minimum: 5 + length)
        let whole = ByteSlice(adopting: message, start: 0, count: 5 + length)
        var at = whole.bytes
        at[0] = Self.trailerFlag
        for index in 0..<4 { at[1 + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index)) }
        at += 5
        for field in trailers.block.lines where !field.removed {
            memcpy(at, field.name, Int(field.nameLength))
            at += Int(field.nameLength)
            at[0] = ASCII.colon
            at += 1
            memcpy(at, field.value, Int(field.valueLength))
            at += Int(field.valueLength)
            at[0] = ASCII.carriageReturn
            at[1] = ASCII.lineFeed
            at += 2
        }
        return answer(consume whole, pool)
    }
}

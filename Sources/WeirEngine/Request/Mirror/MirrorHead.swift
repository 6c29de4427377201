import Glibc

/// The head of a copy: the request's as it was sent to the endpoint, with what tells it from that (semantics 3.13).
enum MirrorHead {
    /// What older releases of Istio put behind the host of a copy.
    private static let shadow: StaticString = "-shadow"

    /// Makes `copy`, which is empty, a copy of `head` that does not depend on it.
    ///
    /// `own`: the gateway's own address, which a copy has once more in its `x-forwarded-for`.
    static func write(
        _ head: RequestHead, into copy: RequestHead, own: LogAddress?, marksHost: Bool, pool: BufferPool
    ) {
        let names = head.methodBytes.count + head.target.count + head.authority.count + shadow.utf8CodeUnitCount
        var writer = Writer(at: room(names + head.block.lineBytes, in: copy, pool))
        copy.method = head.method
        copy.methodBytes = writer.add(head.methodBytes)
        copy.target = UnsafeMutableRawBufferPointer(mutating: writer.add(UnsafeRawBufferPointer(head.target)))
        copy.pathLength = head.pathLength
        copy.scheme = head.scheme
        copy.version = head.version
        copy.framing = head.framing
        copy.isGRPC = head.isGRPC
        copy.isGRPCWeb = head.isGRPCWeb
        writer.addAuthority(of: head, to: copy, marked: marksHost)
        for line in head.block.lines where !line.removed { writer.add(line, to: copy) }
        copy.block.remove("x-envoy-internal")
        copy.block.append(.xEnvoyControl, "x-envoy-internal", value: "true")
        if let own { addForwarder(own, to: copy) }
    }

    /// Room that lives as long as the copy: a chunk of its own only for heads of unusual length.
    private static func room(_ length: Int, in copy: RequestHead, _ pool: BufferPool) -> UnsafeMutablePointer<UInt8> {
        if length <= HeaderBlock.spillBytes { return copy.block.reserve(length) }
        let slice = ByteSlice(adopting: pool.take(minimum: length), start: 0, count: 0)
        let start = slice.bytes
        copy.backing = consume slice
        return start
    }

    /// Behind the client in the first of its lines, as a proxy does that passes a request on.
    private static func addForwarder(_ own: LogAddress, to copy: RequestHead) {
        let (host, count) = own.host
        let line = copy.block.firstIndex(of: .xForwardedFor)
        guard line >= 0 else {
            return copy.block.append(
                .xForwardedFor, "x-forwarded-for", copying: UnsafeRawBufferPointer(start: host, count: count))
        }
        let field = copy.block.fields + line
        let length = Int(field.pointee.valueLength)
        let value = copy.block.reserve(length + 1 + count)
        memcpy(value, field.pointee.value, length)
        value[length] = ASCII.comma
        memcpy(value + length + 1, host, count)
        field.pointee.value = UnsafePointer(value)
        field.pointee.valueLength = UInt32(length + 1 + count)
    }

    /// Copies the parts of a head one behind the other; there is room for all.
    private struct Writer {
        private var at: UnsafeMutablePointer<UInt8>

        init(at start: UnsafeMutablePointer<UInt8>) { at = start }

        mutating func add(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            let start = at
            if let source = bytes.baseAddress { memcpy(start, source, bytes.count) }
            at += bytes.count
            return UnsafeRawBufferPointer(start: start, count: bytes.count)
        }

        mutating func addAuthority(of head: RequestHead, to copy: RequestHead, marked: Bool) {
            let start = at
            _ = add(head.host)
            if marked { at += ASCII.write(shadow, into: at) }
            copy.hostLength = at - start
            _ = add(UnsafeRawBufferPointer(rebasing: head.authority[head.hostLength...]))
            copy.authority = UnsafeRawBufferPointer(start: start, count: at - start)
        }

        /// As it stands on the wire, so that the whole head goes out at once.
        mutating func add(_ line: HeaderField, to copy: RequestHead) {
            let name = at
            _ = add(line.nameBytes)
            at += ASCII.write(": ", into: at)
            let value = at
            _ = add(line.valueBytes)
            at += ASCII.write("\r\n", into: at)
            // No more lines than there were in a block of the same room.
            _ = copy.block.append(
                line.token, name: name, nameLength: Int(line.nameLength), value: value,
                valueLength: Int(line.valueLength))
        }
    }
}

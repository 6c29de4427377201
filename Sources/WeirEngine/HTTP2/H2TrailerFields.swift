/// Fields behind a body that may be passed on (RFC 9110 section 6.5.1).
enum H2TrailerFields {
    /// Adds a line, unless it is one that decides on framing, routing or rights, or there are too many.
    static func add(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to trailers: Trailers,
        _ store: inout H2FieldStore, _ pool: BufferPool
    ) {
        guard let start = name.baseAddress?.assumingMemoryBound(to: UInt8.self), start.pointee != ASCII.colon else {
            return
        }
        let token = HeaderName.lookup(start, length: name.count)
        guard token == .other || token == .grpcStatus, !ASCII.equals(name, "authorization") else { return }
        guard trailers.block.count < HeaderBlock.maxReceived else { return }
        store.addLine(token, name, value, to: &trailers.block, pool: pool)
    }
}

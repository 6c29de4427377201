import Glibc

/// Where the fields of received heads are kept: one behind the other in chunks that the heads share.
///
/// One head at a time is being written; nghttp2 hands out names and values that live only for a call.
struct H2FieldStore: ~Copyable {
    /// A head is begun in a chunk of its own when less than this is left.
    private static let beginRoom = 2048

    private var chunk: Chunk?
    /// Offset in the chunk where the head being written begins.
    private var headStart = 0
    private var end = 0

    deinit { chunk?.release() }

    /// Begins a head.
    mutating func begin(pool: BufferPool) {
        if let chunk {
            if chunk.isUnique { end = 0 }
            headStart = end
            if chunk.capacity - headStart >= Self.beginRoom { return }
            chunk.release()
        }
        chunk = pool.take()
        headStart = 0
        end = 0
    }

    /// Bytes of the head being written.
    var count: Int { end - headStart }

    /// First byte of the head being written; valid until more is added.
    var start: UnsafeMutablePointer<UInt8> {
        guard let chunk else { preconditionFailure("a place in no head") }
        return chunk.bytes + headStart
    }

    /// Where in the head an offset lies; as long valid.
    func at(_ offset: Int) -> UnsafeMutablePointer<UInt8> { start + offset }

    /// Copies bytes behind those that are there; returns their offset.
    ///
    /// When the head has to move, so do the lines of `block` that lie in it.
    mutating func add(_ bytes: UnsafeRawBufferPointer, moving block: inout HeaderBlock, pool: BufferPool) -> Int {
        guard let current = chunk else { preconditionFailure("a field outside a head") }
        let offset = count
        if current.capacity - end < bytes.count {
            let wider = pool.take(minimum: max(2 * (offset + bytes.count), BufferPool.chunkBytes))
            move(from: current, to: wider, &block)
        }
        if let source = bytes.baseAddress { memcpy(start + offset, source, bytes.count) }
        end += bytes.count
        return offset
    }

    /// Adds a line to a block that has room for it; names with a token need none here.
    mutating func addLine(
        _ token: HeaderName, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer,
        to block: inout HeaderBlock, pool: BufferPool
    ) {
        let isConstant = token != .other && token != .xEnvoyControl
        let nameOffset = isConstant ? 0 : add(name, moving: &block, pool: pool)
        let valueOffset = add(value, moving: &block, pool: pool)
        let fits = block.append(
            token, name: isConstant ? token.text.utf8Start : UnsafePointer(start + nameOffset),
            nameLength: name.count, value: UnsafePointer(start + valueOffset), valueLength: value.count)
        precondition(fits, "a line for a block that is full")
    }

    private mutating func move(from old: Chunk, to new: Chunk, _ block: inout HeaderBlock) {
        let from = UnsafePointer(old.bytes + headStart)
        let to = UnsafePointer(new.bytes)
        memcpy(new.bytes, from, count)
        for index in 0..<block.count {
            let field = block.fields + index
            if field.pointee.name >= from, field.pointee.name < from + count {
                field.pointee.name = to + (field.pointee.name - from)
            }
            if field.pointee.value >= from, field.pointee.value <= from + count {
                field.pointee.value = to + (field.pointee.value - from)
            }
        }
        end = count
        headStart = 0
        old.release()
        chunk = new
    }

    /// The head is complete: keeps its bytes alive.
    mutating func finish() -> ByteSlice? {
        guard let chunk else { return nil }
        let slice = ByteSlice(retaining: chunk, start: headStart, count: count)
        headStart = end
        return slice
    }

    /// Gives the room back, for a connection that is idle.
    mutating func release() {
        chunk?.release()
        chunk = nil
        headStart = 0
        end = 0
    }
}

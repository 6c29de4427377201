import Glibc

/// Lines Weir writes itself. There is always room: a peer's lines are limited well below the block's capacity.
extension HeaderBlock {
    /// A line whose name and value are constants of the program.
    mutating func append(_ token: HeaderName, _ name: StaticString, value: StaticString) {
        append(token, name, value.utf8Start, value.utf8CodeUnitCount)
    }

    /// A line whose value lives as long as the block's contents (see `reserve`).
    mutating func append(_ token: HeaderName, _ name: StaticString, _ value: UnsafePointer<UInt8>, _ length: Int) {
        let fits = append(
            token, name: name.utf8Start, nameLength: name.utf8CodeUnitCount, value: value, valueLength: length)
        precondition(fits, "no room for a header line of our own")
    }

    /// A line whose value is copied into the block.
    mutating func append(_ token: HeaderName, _ name: StaticString, copying value: UnsafeRawBufferPointer) {
        let room = reserve(value.count)
        if let source = value.baseAddress { memcpy(room, source, value.count) }
        append(token, name, room, value.count)
    }

    /// A line whose value is a number.
    mutating func append(_ token: HeaderName, _ name: StaticString, number: UInt64) {
        // The largest UInt64 has 20 digits.
        let room = reserve(20)
        var start = 20
        var rest = number
        repeat {
            start -= 1
            room[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        append(token, name, room + start, 20 - start)
    }
}

extension ByteSlice {
    /// A slice of a chunk of its own.
    init(copying bytes: UnsafeRawBufferPointer, pool: BufferPool) {
        let chunk = pool.take(minimum: bytes.count)
        if let source = bytes.baseAddress { memcpy(chunk.bytes, source, bytes.count) }
        self.init(adopting: chunk, start: 0, count: bytes.count)
    }
}

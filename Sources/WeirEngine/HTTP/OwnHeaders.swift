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

    /// A line whose value is a number that changes, with a unit behind it, if any.
    ///
    /// `line` is -1 at first; from then on it is the line's place, and its room is written anew.
    mutating func put(
        _ number: UInt64, unit: UInt8? = nil, token: HeaderName, _ name: StaticString, at line: inout Int32
    ) {
        if line < 0 {
            line = Int32(count)
            append(token, name, reserve(Self.numberRoom), 0)
        }
        let field = fields + Int(line)
        // This method's own, reserved above.
        let room = UnsafeMutablePointer(mutating: field.pointee.value)
        var length = ASCII.writeDecimal(number, into: room)
        if let unit {
            room[length] = unit
            length += 1
        }
        field.pointee.valueLength = UInt32(length)
    }

    /// The largest UInt64 has 20 digits; one byte is for a unit.
    private static let numberRoom = 21

    /// Whether a live line has this name, which has no token.
    func contains(_ name: StaticString) -> Bool {
        for field in lines where !field.removed && ASCII.equals(field.nameBytes, name) { return true }
        return false
    }

    /// Index of the one live line with this name, which has no token; -1 when there is none, or more than one.
    func soleIndex(_ name: StaticString) -> Int {
        var found = -1
        for (index, field) in lines.enumerated() where !field.removed && ASCII.equals(field.nameBytes, name) {
            if found >= 0 { return -1 }
            found = index
        }
        return found
    }

    /// Drops every line with this name, which has no token.
    func remove(_ name: StaticString) {
        for index in 0..<count where ASCII.equals(fields[index].nameBytes, name) { fields[index].removed = true }
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

import CNghttp2

/// The fields of a head on its way out, borrowed until it is submitted, which copies them.
struct H2FieldList {
    let fields: UnsafeMutablePointer<nghttp2_nv>
    private let capacity: Int
    private(set) var count = 0
    /// Of all names and values.
    private(set) var bytes = 0

    /// Calls `body` with a list that has room for so many fields.
    static func with<Result>(capacity: Int, _ body: (inout H2FieldList) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: capacity) { room in
            var list = H2FieldList(fields: room.baseAddress!, capacity: capacity)
            return body(&list)
        }
    }

    private init(fields: UnsafeMutablePointer<nghttp2_nv>, capacity: Int) {
        self.fields = fields
        self.capacity = capacity
    }

    func name(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: fields[index].name, count: fields[index].namelen)
    }

    /// A field whose name is a constant, lower-case.
    mutating func append(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
        append(name.utf8Start, name.utf8CodeUnitCount, value.baseAddress, value.count, isSecret: false)
    }

    mutating func append(_ name: StaticString, _ value: StaticString) {
        append(
            name.utf8Start, name.utf8CodeUnitCount, UnsafeRawPointer(value.utf8Start), value.utf8CodeUnitCount,
            isSecret: false)
    }

    /// A line of a head.
    mutating func append(_ line: HeaderField) {
        append(
            line.name, Int(line.nameLength), UnsafeRawPointer(line.value), Int(line.valueLength),
            isSecret: line.isSecret)
    }

    private mutating func append(
        _ name: UnsafePointer<UInt8>, _ nameLength: Int, _ value: UnsafeRawPointer?, _ valueLength: Int,
        isSecret: Bool
    ) {
        precondition(count < capacity, "more fields than there is room for")
        let flags = isSecret ? NGHTTP2_NV_FLAG_NO_INDEX.rawValue : NGHTTP2_NV_FLAG_NONE.rawValue
        (fields + count).initialize(
            to: nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name),
                value: UnsafeMutablePointer(
                    mutating: (value ?? UnsafeRawPointer(name)).assumingMemoryBound(to: UInt8.self)),
                namelen: nameLength, valuelen: valueLength, flags: UInt8(truncatingIfNeeded: flags)))
        count += 1
        bytes += nameLength + valueLength
    }
}

extension HeaderField {
    /// Kept out of the compression's memory, so that its size tells nobody what it is (RFC 7541 section 7.1.3).
    var isSecret: Bool {
        switch token {
        // A short cookie can be guessed by trying.
        case .cookie: valueLength < 20
        case .other: ASCII.equals(nameBytes, "authorization")
        default: false
        }
    }
}

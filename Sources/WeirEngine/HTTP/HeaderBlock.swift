import Glibc

/// One header line: pointers into bytes that its `HeaderBlock`'s owner keeps alive.
struct HeaderField {
    /// Lower-case bytes.
    var name: UnsafePointer<UInt8>
    var value: UnsafePointer<UInt8>
    var nameLength: UInt32
    var valueLength: UInt32
    var token: HeaderName
    /// Dropped lines stay in place and are skipped, so that indices hold.
    var removed: Bool

    var nameBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: name, count: Int(nameLength)) }
    var valueBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: value, count: Int(valueLength)) }
}

/// The header lines of one message, in order, as offsets into received bytes; repeated lines stay separate.
///
/// Room for lines is allocated once and reused with the head that owns it. Values Weir makes itself go into `arena`.
struct HeaderBlock: ~Copyable {
    /// Lines a peer may send (Istio's gateway: 100).
    static let maxReceived = 100
    /// Lines a route's header operations may add.
    static let maxEdits = 48
    /// Lines Weir may add, those included.
    static let maxOwn = 64
    static let capacity = maxReceived + maxOwn
    private static let arenaBytes = 1024
    /// A second arena, for blocks that have needed one.
    static let spillBytes = 4096

    let fields: UnsafeMutablePointer<HeaderField>
    private(set) var count = 0
    private let arena: UnsafeMutablePointer<UInt8>
    private var arenaUsed = 0
    private var spill: UnsafeMutablePointer<UInt8>?
    private var spillUsed = 0
    /// Values that did not fit into the arenas; freed by `reset`.
    private var overflow: [UnsafeMutableRawPointer] = []

    init() {
        fields = .allocate(capacity: Self.capacity)
        arena = .allocate(capacity: Self.arenaBytes)
    }

    deinit {
        for block in overflow { free(block) }
        fields.deallocate()
        arena.deallocate()
        spill?.deallocate()
    }

    mutating func reset() {
        count = 0
        arenaUsed = 0
        spillUsed = 0
        if !overflow.isEmpty {
            for block in overflow { free(block) }
            overflow.removeAll()
        }
    }

    /// Adds a line; `false` when the block is full.
    mutating func append(
        _ token: HeaderName, name: UnsafePointer<UInt8>, nameLength: Int, value: UnsafePointer<UInt8>, valueLength: Int
    ) -> Bool {
        guard count < Self.capacity else { return false }
        (fields + count).initialize(
            to: HeaderField(
                name: name, value: value, nameLength: UInt32(nameLength), valueLength: UInt32(valueLength),
                token: token, removed: false))
        count += 1
        return true
    }

    /// All lines, removed ones too; valid until the next change.
    var lines: UnsafeBufferPointer<HeaderField> { UnsafeBufferPointer(start: fields, count: count) }

    /// Makes the first `count` entries of `fields`, written by a parser, the block's lines.
    mutating func commit(count: Int) {
        precondition(count >= 0 && count <= Self.capacity, "more lines than the block has room for")
        self.count = count
    }

    /// Room for a value of Weir's own, valid until `reset`.
    mutating func reserve(_ length: Int) -> UnsafeMutablePointer<UInt8> {
        if arenaUsed + length <= Self.arenaBytes {
            arenaUsed += length
            return arena + (arenaUsed - length)
        }
        return reserveFurther(length)
    }

    private mutating func reserveFurther(_ length: Int) -> UnsafeMutablePointer<UInt8> {
        if spillUsed + length <= Self.spillBytes {
            let memory = spill ?? .allocate(capacity: Self.spillBytes)
            spill = memory
            spillUsed += length
            return memory + (spillUsed - length)
        }
        guard let block = malloc(length) else { fatalError("out of memory: \(length) bytes for a header value") }
        overflow.append(block)
        return block.assumingMemoryBound(to: UInt8.self)
    }

    /// Index of the first live line with this token, or -1.
    func firstIndex(of token: HeaderName) -> Int {
        for index in 0..<count where fields[index].token == token && !fields[index].removed { return index }
        return -1
    }

    /// Bytes the live lines take on the wire, with what separates them.
    var lineBytes: Int {
        var bytes = 0
        for index in 0..<count where !fields[index].removed {
            bytes += Int(fields[index].nameLength) + Int(fields[index].valueLength) + 4
        }
        return bytes
    }

    /// Drops every line with this token.
    mutating func remove(_ token: HeaderName) {
        for index in 0..<count where fields[index].token == token { fields[index].removed = true }
    }
}

import Glibc

/// Walks `a=1&b=2` without decoding anything, as Istio's gateway compares parameters (semantics 3.5).
struct QueryParameters {
    private var rest: UnsafeRawBufferPointer
    private var done: Bool

    init(_ query: UnsafeRawBufferPointer) {
        rest = query
        done = query.isEmpty
    }

    /// The next parameter; `k` and `k=` both have the empty value.
    mutating func next() -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        guard !done, let start = rest.baseAddress else { return nil }
        let end = Self.offset(of: UInt8(ascii: "&"), in: rest) ?? rest.count
        let parameter = UnsafeRawBufferPointer(start: start, count: end)
        if end == rest.count {
            done = true
        } else {
            rest = UnsafeRawBufferPointer(start: start + end + 1, count: rest.count - end - 1)
        }
        guard let equals = Self.offset(of: UInt8(ascii: "="), in: parameter) else {
            return (parameter, UnsafeRawBufferPointer(start: start + end, count: 0))
        }
        return (
            UnsafeRawBufferPointer(start: start, count: equals),
            UnsafeRawBufferPointer(start: start + equals + 1, count: end - equals - 1)
        )
    }

    private static func offset(of byte: UInt8, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = bytes.baseAddress, let hit = memchr(start, Int32(byte), bytes.count) else { return nil }
        return UnsafeRawPointer(hit) - start
    }
}

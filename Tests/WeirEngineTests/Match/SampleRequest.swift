@testable import WeirEngine

/// A request in memory: owns the bytes a `RouteQuery` borrows.
final class SampleRequest {
    private var texts: [UnsafeMutablePointer<UInt8>] = []
    private let fields: UnsafeMutablePointer<HeaderField>
    private let query: UnsafeMutablePointer<RouteQuery>
    let description: String

    init(
        _ target: String = "/", method: String = "GET", authority: String = "example.com", scheme: Scheme = .http,
        headers: [(String, String)] = [], worker: Int = 0
    ) {
        description = "\(method) \(scheme)://\(authority)\(target) \(headers)"
        fields = .allocate(capacity: max(headers.count, 1))
        query = .allocate(capacity: 1)
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var stored: [UnsafeMutablePointer<UInt8>] = []
        func store(_ text: String) -> UnsafeRawBufferPointer {
            // Room of exactly the text's size, so that a sanitizer sees every byte read beyond it.
            let room = UnsafeMutablePointer<UInt8>.allocate(capacity: text.utf8.count)
            _ = UnsafeMutableBufferPointer(start: room, count: text.utf8.count).initialize(from: text.utf8)
            stored.append(room)
            return UnsafeRawBufferPointer(start: room, count: text.utf8.count)
        }
        for (index, (name, value)) in headers.enumerated() {
            let nameBytes = store(name)
            let valueBytes = store(value)
            (fields + index).initialize(
                to: HeaderField(
                    name: nameBytes.baseAddress!.assumingMemoryBound(to: UInt8.self),
                    value: valueBytes.baseAddress!.assumingMemoryBound(to: UInt8.self),
                    nameLength: UInt32(nameBytes.count), valueLength: UInt32(valueBytes.count), token: .other,
                    removed: false))
        }
        query.initialize(
            to: RouteQuery(
                method: store(method), path: store(parts[0]),
                query: parts.count > 1 ? store(parts[1]) : UnsafeRawBufferPointer(start: nil, count: 0),
                authority: store(authority), scheme: scheme, worker: worker, fields: UnsafePointer(fields),
                fieldCount: headers.count))
        texts = stored
    }

    deinit {
        for text in texts { text.deallocate() }
        fields.deallocate()
        query.deallocate()
    }

    /// The table's answer to this request.
    func next(in table: borrowing RouteTable, after: Int32 = -1) -> Int32 {
        defer { withExtendedLifetime(self) {} }
        return table.next(after: after, query)
    }

    func linearNext(in table: borrowing RouteTable, after: Int32 = -1) -> Int32 {
        defer { withExtendedLifetime(self) {} }
        return table.linearNext(after: after, query)
    }
}

extension String {
    /// Lends the text's bytes.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Array(utf8).withUnsafeBytes(body)
    }
}

/// A small seeded generator: a failing run can be repeated.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

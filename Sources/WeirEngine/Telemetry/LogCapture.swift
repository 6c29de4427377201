/// What a log line needs and is gone when the line is written: the route's name, headers of the answer, an address.
///
/// Kept with a pooled exchange; its memory is allocated when something is first kept, and then reused.
struct LogCapture: ~Copyable {
    /// Place of the route's name; response headers follow.
    static let routeName = 0
    private static let places = 1 + AccessLogLimits.responseHeaders
    private static let valueBytes = 4096
    private static let absent = UInt16.max

    /// Where each value lies in `bytes`; both are allocated together.
    private var spans: UnsafeMutablePointer<(start: UInt16, count: UInt16)>?
    private var bytes: UnsafeMutablePointer<UInt8>?
    private var used = 0
    private var isEmpty = true
    /// Why TLS to an endpoint failed; allocated when it first does.
    private var failure: UnsafeMutablePointer<UInt8>?
    private var failureCount = 0
    /// Our end of the upstream connection.
    ///
    /// Borrowed from it: it ends no earlier than its request.
    var upstreamLocal: LogAddress?

    init() {}

    deinit {
        spans?.deallocate()
        bytes?.deallocate()
        failure?.deallocate()
    }

    /// A request begins: nothing is known of it.
    mutating func reset() {
        upstreamLocal = nil
        failureCount = 0
        guard !isEmpty else { return }
        isEmpty = true
        used = 0
        spans?.update(repeating: (0, Self.absent), count: Self.places)
    }

    /// Notes why TLS to an endpoint failed last.
    mutating func keep(failure text: [UInt8]) {
        let memory = failure ?? .allocate(capacity: TLSFailureText.maxBytes)
        failure = memory
        failureCount = min(text.count, TLSFailureText.maxBytes)
        for index in 0..<failureCount { (memory + index).initialize(to: text[index]) }
    }

    /// Empty when TLS has not failed; valid until the next request.
    var failureText: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: failure, count: failureCount) }

    /// Copies a value, or as much of it as there is room for.
    mutating func keep(_ value: UnsafeRawBufferPointer, at place: Int) {
        precondition(place >= 0 && place < Self.places, "no such place in a log capture")
        let count = min(value.count, AccessLogLimits.keptBytes, Self.valueBytes - used)
        let memory = storage()
        if let source = value.baseAddress { ASCII.copy(source, into: memory.bytes + used, count: count) }
        memory.spans[place] = (UInt16(used), UInt16(count))
        used += count
        isEmpty = false
    }

    private mutating func storage() -> (
        spans: UnsafeMutablePointer<(start: UInt16, count: UInt16)>, bytes: UnsafeMutablePointer<UInt8>
    ) {
        if let spans, let bytes { return (spans, bytes) }
        let spans = UnsafeMutablePointer<(start: UInt16, count: UInt16)>.allocate(capacity: Self.places)
        spans.initialize(repeating: (0, Self.absent), count: Self.places)
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.valueBytes)
        self.spans = spans
        self.bytes = bytes
        return (spans, bytes)
    }

    /// A value that was kept; valid until the next change.
    func value(at place: Int) -> UnsafeRawBufferPointer? {
        guard let spans, let bytes, spans[place].count != Self.absent else { return nil }
        return UnsafeRawBufferPointer(start: bytes + Int(spans[place].start), count: Int(spans[place].count))
    }
}

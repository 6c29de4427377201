/// Puts the fields of an answer's head, or of its trailers, together; one at a time comes on a connection.
struct H2AnswerReader: ~Copyable {
    private let host: ServerHost
    private var store = H2FieldStore()
    private var head: ResponseHead?
    private var trailers: Trailers?
    private var request = MethodToken.other

    init(host: ServerHost) { self.host = host }

    /// A head begins, or trailers where the answer has begun.
    mutating func begin(_ stream: H2ClientStream) {
        drop()
        store.begin(pool: host.loop.pool)
        request = stream.head?.method ?? .other
        if stream.answerBegun { trailers = Trailers() } else { head = host.takeResponseHead() }
    }

    /// Takes a field; `false` when there is too much of them, or it makes no sense.
    mutating func take(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        if let head {
            if name.first == ASCII.colon { return takeStatus(name, value, head) }
            return take(name, value, into: &head.block)
        }
        guard let trailers else { return true }
        return take(name, value, into: &trailers.block)
    }

    private func takeStatus(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ head: ResponseHead
    ) -> Bool {
        guard ASCII.equals(name, ":status"), value.count == 3 else { return false }
        var status = 0
        for byte in value {
            guard byte &- ASCII.zero < 10 else { return false }
            status = status * 10 + Int(byte - ASCII.zero)
        }
        head.status = status
        return (100...999).contains(status)
    }

    private mutating func take(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, into block: inout HeaderBlock
    ) -> Bool {
        guard block.count < HeaderBlock.maxReceived,
            store.count + name.count + value.count <= H2Limits.maxHeaderListBytes
        else { return false }
        let nameAt = store.add(name, moving: &block, pool: host.loop.pool)
        let valueAt = store.add(value, moving: &block, pool: host.loop.pool)
        let start = store.at(nameAt)
        return block.append(
            HeaderName.lookup(start, length: name.count), name: start, nameLength: name.count, value: store.at(valueAt),
            valueLength: value.count)
    }

    /// The head is complete: it is the caller's to recycle; `nil` when there is none that makes sense.
    ///
    /// `isLast`: no body follows.
    mutating func finish(_ stream: H2ClientStream, isLast: Bool) -> ResponseHead? {
        guard let head else { return nil }
        self.head = nil
        head.backing = store.finish()
        head.minorVersion = 1
        head.hasGRPCStatus = head.block.firstIndex(of: .grpcStatus) >= 0
        if head.isInformational {
            if !isLast { return head }
        } else if frame(head, isLast: isLast) {
            return head
        }
        host.recycle(head)
        return nil
    }

    /// Settles how the body is delimited where it needs to be said; nghttp2 has seen to it that it will be as long as it says.
    private func frame(_ head: ResponseHead, isLast: Bool) -> Bool {
        let hasNone = request == .head || head.status == 204 || head.status == 304
        guard !hasNone else {
            head.framing = .none
            return true
        }
        let index = head.block.firstIndex(of: .contentLength)
        if index >= 0 {
            guard let length = Self.length(head.block.fields[index].valueBytes) else { return false }
            head.framing = .length(length)
        } else {
            head.framing = isLast ? .length(0) : .chunked
        }
        return true
    }

    /// What nghttp2 has found to be digits.
    private static func length(_ value: UnsafeRawBufferPointer) -> UInt64? {
        var length: UInt64 = 0
        for byte in value {
            guard ASCII.isDigit(byte), length < UInt64.max / 20 else { return nil }
            length = length * 10 + UInt64(byte - ASCII.zero)
        }
        return value.isEmpty ? nil : length
    }

    /// The trailers are complete; `nil` where there are none.
    mutating func finishTrailers() -> Trailers? {
        guard let trailers else { return nil }
        self.trailers = nil
        trailers.backing = store.finish()
        return trailers
    }

    /// Forgets what was begun.
    mutating func drop() {
        if let head { host.recycle(head) }
        head = nil
        trailers = nil
    }
}

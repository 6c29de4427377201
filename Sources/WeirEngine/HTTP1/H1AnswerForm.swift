/// How an answer is put to one client: how its body is delimited, in which version, and whether the connection outlives it.
struct H1AnswerForm {
    let framing: BodyFraming
    let closes: Bool
    private let isHTTP10: Bool

    /// `closes`: the connection would end anyway.
    init(_ head: ResponseHead, to request: RequestHead, closes: Bool) {
        isHTTP10 = request.version == .http10
        guard isHTTP10 else {
            // A body whose length is unknown goes out chunked.
            framing = head.framing == .untilClose ? .chunked : head.framing
            self.closes = closes
            return
        }
        // HTTP/1.0 knows no chunks: the end of the connection is the end of the body (RFC 9112 section 6.3).
        framing = head.framing == .chunked ? .untilClose : head.framing
        self.closes = closes || framing == .untilClose
    }

    /// Room that `write` needs.
    func bound(_ head: ResponseHead) -> Int { H1Serializer.responseBound(head) + Self.keepAliveLine.utf8CodeUnitCount }

    /// Writes the answer's head; returns the bytes written.
    ///
    /// A client of HTTP/1.0 gets its own version back, as Istio's gateway answers it, and is told that the connection
    /// is kept, which it does not assume (RFC 9112 appendix C.2.2).
    func write(_ head: ResponseHead, into out: UnsafeMutablePointer<UInt8>) -> Int {
        let length = H1Serializer.writeResponse(head, framing: framing, close: closes, into: out)
        guard isHTTP10 else { return length }
        out[Self.versionEnd] = ASCII.zero
        guard !closes else { return length }
        // Over the empty line, which follows again.
        return length - 2 + ASCII.write(Self.keepAliveLine, into: out + length - 2)
    }

    /// Place of the minor version in `HTTP/1.1 `.
    private static let versionEnd = 7
    private static var keepAliveLine: StaticString { "connection: keep-alive\r\n\r\n" }
}

/// Bodies on their way out, of requests and of answers alike (RFC 9112 sections 6 and 7.1).
extension Connection {
    /// Queues a piece of a body, as a chunk where that is the framing.
    func writeBody(_ slice: consuming ByteSlice, framing: BodyFraming) {
        guard framing == .chunked else { return write(slice) }
        let count = slice.count
        guard count > 0 else { return }
        _ = write(bound: H1Serializer.chunkHeadBound) { H1Serializer.writeChunkHead(count, into: $0) }
        write(slice)
        write(copying: H1Serializer.chunkEnd)
    }

    /// Queues what ends a body.
    func writeBodyEnd(framing: BodyFraming) {
        if framing == .chunked { write(copying: H1Serializer.lastChunk) }
    }
}

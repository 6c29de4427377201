/// What a WebSocket's opening has in HTTP/1.1 and not in HTTP/2 (RFC 6455 section 4.1, RFC 8441 section 5).
enum WebSocketKey {
    /// Base64 of 16 bytes.
    static let length = 24
    private static let randomBytes = 16

    /// Gives a request that came over HTTP/2 the key that an HTTP/1.1 server wants to answer.
    static func add(to head: RequestHead, _ random: inout FastRandom) {
        guard head.version == .http2, !head.block.contains("sec-websocket-key") else { return }
        let room = head.block.reserve(length)
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        // 16 bytes are 21 digits of six bits and one of two.
        for index in 0..<(randomBytes * 8 / 6) { room[index] = alphabet.utf8Start[Int(random.below(64))] }
        room[21] = alphabet.utf8Start[Int(random.below(4)) << 4]
        room[22] = UInt8(ascii: "=")
        room[23] = UInt8(ascii: "=")
        head.block.append(.other, "sec-websocket-key", room, length)
    }
}

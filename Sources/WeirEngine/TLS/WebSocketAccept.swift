import COpenSSL
import Glibc

/// The proof that a WebSocket's opening handshake was understood (RFC 6455 section 4.2.2): of a key, in base64.
enum WebSocketAccept {
    static let length = 28
    /// Longest key that is looked at; one that is longer is none.
    private static let maxKeyBytes = 64
    private static let suffix: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    private static let digestBytes = 20

    /// Writes `length` bytes; `false` when the key is none.
    static func write(for key: UnsafeRawBufferPointer, into room: UnsafeMutablePointer<UInt8>) -> Bool {
        guard !key.isEmpty, key.count <= maxKeyBytes else { return false }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maxKeyBytes + suffix.utf8CodeUnitCount) { text in
            let start = text.baseAddress!
            for index in 0..<key.count { start[index] = key[index] }
            memcpy(start + key.count, suffix.utf8Start, suffix.utf8CodeUnitCount)
            return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: digestBytes) { digest in
                let count = key.count + suffix.utf8CodeUnitCount
                guard EVP_Digest(start, count, digest.baseAddress, nil, EVP_sha1(), nil) == 1 else { return false }
                // One byte more, for the zero that OpenSSL writes behind.
                return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length + 1) { encoded in
                    EVP_EncodeBlock(encoded.baseAddress, digest.baseAddress, Int32(digestBytes))
                    memcpy(room, encoded.baseAddress!, length)
                    return true
                }
            }
        }
    }
}

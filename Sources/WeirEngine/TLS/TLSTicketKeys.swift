import COpenSSL
import Glibc

/// The keys that session tickets are sealed with, the same for all workers and servers of the process.
///
/// They are in memory alone, and a new one is made each hour: who gets hold of them later can open nothing that is older
/// than the last tickets' life. Which server a session belongs to is part of its context, not of its key.
final class TLSTicketKeys: Sendable {
    struct Key: Equatable {
        /// What a ticket says it was sealed with.
        let name: [UInt8]
        let cipherKey: [UInt8]
        let macKey: [UInt8]
        /// Monotonic nanoseconds.
        let madeAt: UInt64

        fileprivate init(at moment: UInt64) {
            name = Self.random(TLSTicketKeys.nameBytes)
            cipherKey = Self.random(32)
            macKey = Self.random(32)
            madeAt = moment
        }

        private static func random(_ count: Int) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            precondition(RAND_bytes(&bytes, Int32(count)) == 1, "no randomness for ticket keys")
            return bytes
        }
    }

    /// As OpenSSL has it.
    static let nameBytes = 16
    /// How long a key seals tickets.
    static let rotationSeconds = 3_600
    /// Earlier keys that still open them; with the one in use they last as long as a session.
    static let keptKeys = 2

    static let shared = TLSTicketKeys()

    /// The newest first.
    private let keys = Guarded<[Key]>([])

    /// The key to seal with now, and those that open.
    func current(at moment: UInt64) -> [Key] {
        keys.withLock { keys in
            let lifetime = UInt64(Self.rotationSeconds) * 1_000_000_000
            if keys.first.map({ moment >= $0.madeAt && moment - $0.madeAt >= lifetime }) ?? true {
                keys.insert(Key(at: moment), at: 0)
                keys.removeLast(max(keys.count - 1 - Self.keptKeys, 0))
            }
            return keys
        }
    }
}

/// One thread's view of the keys, so that a handshake takes no lock.
struct TLSTicketRing: ~Copyable {
    /// What a ticket turned out to be.
    enum Opening: Int32 {
        case unknown = 0
        case current = 1
        /// Good, and to be replaced.
        case older = 2
    }

    private let shared: TLSTicketKeys
    private var keys: [TLSTicketKeys.Key] = []
    private let cipher = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

    init(_ shared: TLSTicketKeys = .shared) { self.shared = shared }

    deinit { EVP_CIPHER_free(cipher) }

    private mutating func refresh(_ now: UInt64) {
        let lifetime = UInt64(TLSTicketKeys.rotationSeconds) * 1_000_000_000
        if let newest = keys.first, now < newest.madeAt + lifetime { return }
        keys = shared.current(at: now)
    }

    /// Readies the contexts to seal a ticket; writes the key's name and the initialisation vector.
    mutating func seal(
        _ name: UnsafeMutablePointer<UInt8>, _ vector: UnsafeMutablePointer<UInt8>, _ cipherContext: OpaquePointer,
        _ macContext: OpaquePointer, now: UInt64
    ) -> Bool {
        refresh(now)
        guard let key = keys.first, RAND_bytes(vector, EVP_CIPHER_get_iv_length(cipher)) == 1 else { return false }
        name.update(from: key.name, count: TLSTicketKeys.nameBytes)
        return EVP_EncryptInit_ex(cipherContext, cipher, nil, key.cipherKey, vector) == 1
            && weir_mac_begin(macContext, key.macKey, key.macKey.count) != nil
    }

    /// Readies the contexts to open a ticket sealed with the key of this name.
    mutating func open(
        _ name: UnsafePointer<UInt8>, _ vector: UnsafePointer<UInt8>, _ cipherContext: OpaquePointer,
        _ macContext: OpaquePointer, now: UInt64
    ) -> Opening {
        refresh(now)
        guard let place = place(of: name, now) else { return .unknown }
        let key = keys[place]
        guard EVP_DecryptInit_ex(cipherContext, cipher, nil, key.cipherKey, vector) == 1,
            weir_mac_begin(macContext, key.macKey, key.macKey.count) != nil
        else { return .unknown }
        return place == 0 ? .current : .older
    }

    private mutating func place(of name: UnsafePointer<UInt8>, _ now: UInt64) -> Int? {
        let wanted = UnsafeBufferPointer(start: name, count: TLSTicketKeys.nameBytes)
        if let place = keys.firstIndex(where: { $0.name.elementsEqual(wanted) }) { return place }
        // Another thread may have a newer one.
        keys = shared.current(at: now)
        return keys.firstIndex { $0.name.elementsEqual(wanted) }
    }
}

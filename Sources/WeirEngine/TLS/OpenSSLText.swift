import COpenSSL

/// What OpenSSL reads and prints as text.
enum OpenSSLText {
    /// Why the last call failed; empties the thread's queue of errors.
    static func lastError() -> String {
        var text = "no reason given"
        // The first one is the cause, those behind it are its consequences.
        let code = ERR_peek_error()
        if code != 0, let reason = ERR_reason_error_string(code) { text = String(cString: reason) }
        ERR_clear_error()
        return text
    }

    /// Calls `body` with a BIO that reads these bytes.
    static func reading<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result) -> Result {
        bytes.withUnsafeBytes { raw in
            let count = Int32(clamping: raw.count)
            // An empty buffer has no address, and OpenSSL wants one.
            var nothing: UInt8 = 0
            return withUnsafeBytes(of: &nothing) { spare in
                guard let bio = BIO_new_mem_buf(raw.baseAddress ?? spare.baseAddress, count) else {
                    fatalError("out of memory for a BIO")
                }
                defer { BIO_free(bio) }
                return body(bio)
            }
        }
    }

    /// What `body` prints into a BIO.
    static func printed(_ body: (OpaquePointer) -> Void) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { fatalError("out of memory for a BIO") }
        defer { BIO_free(bio) }
        body(bio)
        var start: UnsafeMutablePointer<CChar>?
        let count = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &start)
        guard count > 0, let start else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
    }

    /// All certificates of a PEM text, or why it has none.
    ///
    /// Each is the caller's to free. What is no certificate is passed over; one that is damaged is an error.
    static func certificates(_ pem: [UInt8]) -> Result<[OpaquePointer], OpenSSLFailure> {
        objects(pem, read: { PEM_read_bio_X509($0, nil, { _, _, _, _ in -1 }, nil) }, free: X509_free)
    }

    /// All revocation lists of a PEM text; as `certificates`.
    static func revocationLists(_ pem: [UInt8]) -> Result<[OpaquePointer], OpenSSLFailure> {
        objects(pem, read: { PEM_read_bio_X509_CRL($0, nil, { _, _, _, _ in -1 }, nil) }, free: X509_CRL_free)
    }

    private static func objects(
        _ pem: [UInt8], read: (OpaquePointer) -> OpaquePointer?, free: (OpaquePointer) -> Void
    ) -> Result<[OpaquePointer], OpenSSLFailure> {
        ERR_clear_error()
        var found: [OpaquePointer] = []
        reading(pem) { bio in
            while let object = read(bio) { found.append(object) }
        }
        let code = ERR_peek_last_error()
        let endsThere = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE
        if endsThere, !found.isEmpty {
            ERR_clear_error()
            return .success(found)
        }
        for object in found { free(object) }
        return .failure(OpenSSLFailure(reason: lastError()))
    }

    /// A private key; one that needs a passphrase cannot be read.
    static func privateKey(_ pem: [UInt8]) -> OpaquePointer? {
        ERR_clear_error()
        // Without a callback of ours OpenSSL would ask for the passphrase on the terminal.
        return reading(pem) { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }
    }
}

/// What OpenSSL said.
struct OpenSSLFailure: Error {
    let reason: String
}

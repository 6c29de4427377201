/// What a client's HTTP/2 connection begins with (RFC 9113 section 3.4).
enum H2Preface {
    enum Match {
        case none
        /// It may become the preface.
        case part
        case whole
    }

    private static let text: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    static var length: Int { text.utf8CodeUnitCount }

    /// How the first bytes of a connection compare to it.
    static func match(_ bytes: UnsafePointer<UInt8>, count: Int) -> Match {
        for index in 0..<min(count, length) where bytes[index] != text.utf8Start[index] { return .none }
        return count < length ? .part : .whole
    }
}

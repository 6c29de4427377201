/// The shapes of names, as Istio and Kubernetes check them.
package enum NameSyntax {
    /// One DNS label (RFC 1123): letters, digits and inner hyphens, at most 63.
    static func isDNSLabel(_ text: some StringProtocol) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 63, isAlphanumeric(first) else { return false }
        var last = first
        for byte in bytes {
            guard isAlphanumeric(byte) || byte == UInt8(ascii: "-") else { return false }
            last = byte
        }
        return isAlphanumeric(last)
    }

    /// DNS labels joined by dots, at most 255 characters, the last of several not all digits.
    ///
    /// A closing dot is allowed, as Istio allows it.
    package static func isDomain(_ text: some StringProtocol) -> Bool {
        guard isDottedName(text) else { return false }
        // `10.0.0.300` is a mistyped address.
        guard let dot = text.lastIndex(of: ".") else { return true }
        let last = text[dot...].utf8.dropFirst()
        return last.isEmpty || !last.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }

    private static func isDottedName(_ text: some StringProtocol) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 255 else { return false }
        var labels = text.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
        return labels.allSatisfy { isDNSLabel($0) }
    }

    /// A domain whose first label may be `*`; `*` alone too.
    static func isWildcardDomain(_ text: some StringProtocol) -> Bool {
        if text == "*" { return true }
        return text.hasPrefix("*.") ? isDomain(text.dropFirst(2)) : isDomain(text)
    }

    /// A Kubernetes object's name: a lower-case domain of at most 253 characters.
    static func isObjectName(_ text: String) -> Bool {
        isDottedName(text) && text.utf8.count <= 253 && text.utf8.last != UInt8(ascii: ".") && isLowercase(text)
    }

    /// A namespace's name: a lower-case label.
    package static func isNamespace(_ text: String) -> Bool { isDNSLabel(text) && isLowercase(text) }

    /// A header field's name (RFC 9110 §5.6.2 token).
    static func isHeaderName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }

    /// `name` or `prefix.example.com/name`.
    package static func isLabelKey(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.last, !name.isEmpty, isLabelText(name) else { return false }
        return parts.count == 1 || isDottedName(parts[0])
    }

    /// May be empty.
    package static func isLabelValue(_ text: String) -> Bool { text.isEmpty || isLabelText(text) }

    /// The path of `unix:///path` or of an abstract `unix://@name`; `nil` for anything else.
    static func unixPath(_ text: String) -> Substring? {
        guard text.hasPrefix("unix://") else { return nil }
        let path = text.dropFirst("unix://".count)
        return (path.hasPrefix("/") || path.hasPrefix("@")) && path.utf8.count > 1 ? path : nil
    }

    private static func isLabelText(_ text: some StringProtocol) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 63, isAlphanumeric(first) else { return false }
        var last = first
        for byte in bytes {
            guard isAlphanumeric(byte) || "-_.".utf8.contains(byte) else { return false }
            last = byte
        }
        return isAlphanumeric(last)
    }

    private static func isLowercase(_ text: String) -> Bool {
        !text.utf8.contains { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

/// Text forms of IP addresses (RFC 4291 §2.2, dotted IPv4), without brackets, zones, ports or prefixes.
enum IPAddressSyntax {
    static func isAddress(_ text: String) -> Bool {
        text.utf8.count <= 45 && (isIPv4(text) || isIPv6(text))
    }

    /// An address, or a range of them: an address, a slash and how many bits they share.
    static func isSubnet(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let address = String(parts[0])
        guard isAddress(address) else { return false }
        guard parts.count == 2 else { return true }
        guard parts[1].utf8.allSatisfy(isDigit), let bits = Int(parts[1]) else { return false }
        return bits <= (address.contains(":") ? 128 : 32)
    }

    /// Four decimal numbers up to 255, without leading zeros, which some readers take for octal.
    private static func isIPv4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard part.utf8.count <= 3, part.utf8.allSatisfy(isDigit), UInt8(part) != nil else { return false }
                return part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0")
            }
    }

    /// Eight groups, or fewer with one `::`; the last two may be written as IPv4.
    private static func isIPv6(_ text: String) -> Bool {
        guard text.contains(":") else { return false }
        guard let gap = gap(in: text) else { return groups(text[...]) == 8 }
        guard let before = groups(text[..<gap.lowerBound], endsInIPv4: false),
            let after = groups(text[gap.upperBound...])
        else { return false }
        return before + after <= 7
    }

    /// The first `::`; a second one makes an empty group, which is no group.
    private static func gap(in text: String) -> Range<String.Index>? {
        var index = text.startIndex
        while let colon = text[index...].firstIndex(of: ":") {
            let next = text.index(after: colon)
            guard next < text.endIndex else { return nil }
            if text[next] == ":" { return colon..<text.index(after: next) }
            index = next
        }
        return nil
    }

    /// How many 16-bit groups the text spells; `nil` when one is malformed.
    private static func groups(_ text: Substring, endsInIPv4: Bool = true) -> Int? {
        guard !text.isEmpty else { return 0 }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var count = 0
        for (index, part) in parts.enumerated() {
            if endsInIPv4, index == parts.count - 1, isIPv4(part) {
                count += 2
            } else {
                guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexDigit) else { return nil }
                count += 1
            }
        }
        return count
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}

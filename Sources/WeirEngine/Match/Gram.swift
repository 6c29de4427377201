/// Two, four or eight bytes in a row, lower-case: what a regex is filed under, and what a lookup takes from each place of a
/// text.
///
/// Every match of a pattern like `/cart/[0-9]+` holds `/cart/`, so a text without one of its grams needs no regex run.
enum Gram {
    /// Longest first: they tell more patterns apart.
    static let lengths = [8, 4, 2]

    /// Which lengths are filed, so that the others are not looked for.
    struct Lengths {
        private var bits: UInt8 = 0

        var isEmpty: Bool { bits == 0 }
        mutating func insert(_ length: Int) { bits |= UInt8(length) }
        func contains(_ length: Int) -> Bool { bits & UInt8(length) != 0 }
    }

    /// Keys of all grams that every match of the pattern holds.
    static func keys(of regex: RegexSet, in subject: RouteKey.GramSubject) -> [RouteKey] {
        regex.neededTexts.flatMap { text -> [RouteKey] in
            let bytes = Array(text.utf8)
            guard let length = lengths.first(where: { $0 <= bytes.count }) else { return [] }
            return (0...(bytes.count - length)).map {
                .gram(subject, String(decoding: bytes[$0..<($0 + length)], as: UTF8.self))
            }
        }
    }

    /// The hash a lookup computes for this gram; `text` must have one of the lengths.
    static func hash(_ text: String, seed: UInt64) -> UInt64 {
        Array(text.utf8).withUnsafeBytes { bytes in
            let start = bytes.baseAddress!
            return switch bytes.count {
            case 8: hash(start.loadUnaligned(as: UInt64.self), length: 8, seed: seed)
            case 4: hash(UInt64(start.loadUnaligned(as: UInt32.self)), length: 4, seed: seed)
            default: hash(UInt64(start.loadUnaligned(as: UInt16.self)), length: 2, seed: seed)
            }
        }
    }

    @inline(__always)
    static func hash(_ bytes: UInt64, length: UInt64, seed: UInt64) -> UInt64 {
        let word = CaseFold.lowercased(bytes)
        let product = (word ^ seed &+ length).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        // 0 marks an empty slot.
        return product.high ^ product.low | 1 &<< 63
    }
}

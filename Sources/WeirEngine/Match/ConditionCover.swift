extension MatchCondition {
    /// Whether `other` holds for every request this condition holds for.
    ///
    /// `false` where that cannot be told, as between different regular expressions.
    package func implies(_ other: MatchCondition) -> Bool {
        guard subject == other.subject else { return false }
        switch (negated, other.negated) {
        case (false, false): return isNarrower(than: other)
        // Not being among the wider means not being among the narrower.
        case (true, true): return other.isNarrower(than: self)
        default: return false
        }
    }

    /// Holds for every request that is routed: a path begins with a slash.
    package var isAlwaysTrue: Bool {
        guard !negated else { return false }
        switch subject {
        case .header, .query: return false
        case .path, .method, .scheme, .authority: break
        }
        return switch pattern {
        case .present, .prefix(""): true
        case .prefix("/"): subject == .path
        case .regex(let regex): regex.pattern == ".*"
        case .exact, .prefix: false
        }
    }

    /// Whether every text this pattern takes is one that the other pattern takes.
    ///
    /// Also right where one of several header lines suffices: the same line satisfies both.
    private func isNarrower(than other: MatchCondition) -> Bool {
        switch (pattern, other.pattern) {
        case (_, .present), (_, .prefix("")): return true
        case (.exact(let text), .exact(let wider)):
            guard let (text, wider) = comparable(text, other, wider) else { return false }
            return text == wider
        case (.exact(let text), .prefix(let wider)), (.prefix(let text), .prefix(let wider)):
            guard let (text, wider) = comparable(text, other, wider) else { return false }
            return text.starts(with: wider)
        case (.regex(let regex), .regex(let wider)): return regex.pattern == wider.pattern || wider.pattern == ".*"
        // What is matched holds no line breaks, which are all that `.` leaves out.
        case (_, .regex(let wider)): return wider.pattern == ".*"
        default: return false
        }
    }

    /// The texts as they can be compared: in lower case where the wider side ignores case; `nil` where case decides.
    private func comparable(_ text: String, _ other: MatchCondition, _ wider: String) -> ([UInt8], [UInt8])? {
        if other.ignoresCase { return (Self.folded(text), Self.folded(wider)) }
        guard ignoresCase else { return (Array(text.utf8), Array(wider.utf8)) }
        // Any spelling is taken here, one there: the same only where there is nothing to spell.
        let folded = Self.folded(wider)
        guard folded.elementsEqual(wider.utf8), !folded.contains(where: { $0 >= 0x61 && $0 <= 0x7A }) else {
            return nil
        }
        return (Self.folded(text), folded)
    }

    static func folded(_ text: String) -> [UInt8] {
        text.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    }
}

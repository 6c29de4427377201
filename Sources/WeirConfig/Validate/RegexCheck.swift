import CRE2

/// Whether a pattern is one Istio accepts: RE2 syntax, at most 1024 characters.
enum RegexCheck {
    private static let lengthLimit = 1_024

    /// What is wrong with the pattern and how to mend it, or `nil`.
    ///
    /// Compiles the pattern once and drops it.
    static func problem(_ pattern: String) -> String? {
        let length = pattern.utf8.count
        guard length <= lengthLimit else {
            return "The pattern has \(length) characters. Write at most \(lengthLimit), or several matches."
        }
        var reason = [CChar](repeating: 0, count: 256)
        if let compiled = weir_re2_compile(pattern, length, &reason, reason.count) {
            weir_re2_free(compiled)
            return nil
        }
        let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return
            "The pattern is no RE2 regular expression (\(text)). Mend it; RE2 has no look-around and no back-references."
    }
}

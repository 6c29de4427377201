/// A duration as users write it: Go style (`1h30m`, `250ms`, `0.5s`), which covers the proto form (`1.5s`).
package enum DurationText {
    /// Nanoseconds, or `nil` when the text is no duration or does not fit 64 bits (about 292 years).
    package static func nanoseconds(_ text: String) -> Int? {
        var rest = Substring(text).utf8
        var negative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            negative = sign == UInt8(ascii: "-")
            rest.removeFirst()
        }
        if rest.elementsEqual("0".utf8) { return 0 }
        guard !rest.isEmpty else { return nil }
        var total = 0
        while !rest.isEmpty {
            guard let part = component(&rest) else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else { return nil }
            total = sum
        }
        return negative ? -total : total
    }

    /// One `number unit` pair from the front.
    private static func component(_ rest: inout Substring.UTF8View) -> Int? {
        let whole = rest.prefix(while: isDigit)
        rest = rest[whole.endIndex...]
        var fraction = rest.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = rest.prefix(while: isDigit)
            rest = rest[fraction.endIndex...]
        }
        guard !(whole.isEmpty && fraction.isEmpty) else { return nil }
        let name = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
        rest = rest[name.endIndex...]
        guard let unit = unit(String(Substring(name))), let whole = whole.isEmpty ? 0 : Int(String(Substring(whole)))
        else { return nil }
        let (value, overflow) = whole.multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        let (sum, carried) = value.addingReportingOverflow(part(fraction, of: unit))
        return carried ? nil : sum
    }

    /// `0.fraction * unit`, cut to whole nanoseconds as Go does.
    ///
    /// Digits after the 18th are worth less than a nanosecond.
    private static func part(_ fraction: Substring.UTF8View, of unit: Int) -> Int {
        var (numerator, denominator) = (0, 1)
        for digit in fraction.prefix(18) {
            numerator = numerator * 10 + Int(digit - UInt8(ascii: "0"))
            denominator *= 10
        }
        // numerator < denominator, so the quotient is less than the unit and the division cannot trap.
        return denominator.dividingFullWidth(unit.multipliedFullWidth(by: numerator)).quotient
    }

    private static func unit(_ name: String) -> Int? {
        switch name {
        case "ns": 1
        case "us", "\u{B5}s", "\u{3BC}s": 1_000
        case "ms": 1_000_000
        case "s": 1_000_000_000
        case "m": 60_000_000_000
        case "h": 3_600_000_000_000
        default: nil
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}

extension FieldValue {
    /// A duration of whole milliseconds, at least one (Istio's rule); zero only where it means something.
    func milliseconds(zeroAllowed: Bool = false) -> Int? {
        guard let text = text() else { return nil }
        guard let nanoseconds = DurationText.nanoseconds(text) else {
            refuse("\(text) is no duration. Write a number with a unit, such as 250ms, 1.5s or 1h30m.")
            return nil
        }
        if zeroAllowed, nanoseconds == 0 { return 0 }
        guard nanoseconds >= 1_000_000, nanoseconds % 1_000_000 == 0 else {
            refuse("\(text) is not a whole number of milliseconds from 1ms up. Write 1ms or a multiple of it.")
            return nil
        }
        return nanoseconds / 1_000_000
    }

    /// A duration of whole seconds.
    func seconds() -> Int? {
        guard let milliseconds = milliseconds() else { return nil }
        guard milliseconds % 1_000 == 0 else {
            refuse("A part of a second is not allowed here. Write whole seconds, such as 10s or 24h.")
            return nil
        }
        return milliseconds / 1_000
    }

    /// `{value: 12.5}`.
    func percent() -> Percent? {
        if let scalar {
            refuse("A percentage is a mapping here. Write {value: \(Double(scalar) == nil ? "50" : scalar)}.")
            return nil
        }
        guard var fields = mapping() else { return nil }
        let value = fields.take("value")?.number() ?? 0
        fields.finish()
        return Percent(value)
    }
}

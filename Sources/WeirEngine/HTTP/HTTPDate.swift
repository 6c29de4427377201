/// The date as `Date` fields carry it (IMF-fixdate, RFC 9110 section 5.6.7), written once a second.
struct HTTPDate: ~Copyable {
    static let length = 29

    private let text: UnsafeMutablePointer<UInt8>
    private var writtenFor: Int?

    init() {
        text = .allocate(capacity: Self.length)
        text.initialize(repeating: ASCII.space, count: Self.length)
    }

    deinit { text.deallocate() }

    /// The text for a time; borrowed until the next call.
    mutating func bytes(unixSeconds: Int) -> UnsafeRawBufferPointer {
        if writtenFor != unixSeconds {
            write(unixSeconds)
            writtenFor = unixSeconds
        }
        return UnsafeRawBufferPointer(start: text, count: Self.length)
    }

    /// Writes as in `Sun, 06 Nov 1994 08:49:37 GMT`.
    private func write(_ unixSeconds: Int) {
        let days = unixSeconds >= 0 ? unixSeconds / 86_400 : (unixSeconds - 86_399) / 86_400
        let second = unixSeconds - days * 86_400
        let (year, month, day) = Self.civil(days)
        // 1970-01-01 was a Thursday.
        put("ThuFriSatSunMonTueWed", 3 * (((days % 7) + 7) % 7), 3, at: 0)
        put(", ", 0, 2, at: 3)
        put(day, 2, at: 5)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", 3 * (month - 1), 3, at: 8)
        put(year, 4, at: 12)
        put(second / 3600, 2, at: 17)
        put(":", 0, 1, at: 19)
        put(second / 60 % 60, 2, at: 20)
        put(":", 0, 1, at: 22)
        put(second % 60, 2, at: 23)
        put("GMT", 0, 3, at: 26)
    }

    private func put(_ source: StaticString, _ offset: Int, _ count: Int, at position: Int) {
        (text + position).update(from: source.utf8Start + offset, count: count)
    }

    private func put(_ number: Int, _ digits: Int, at position: Int) {
        var rest = number
        for index in stride(from: digits - 1, through: 0, by: -1) {
            text[position + index] = ASCII.zero + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// Year, month and day of a count of days since 1970 in the Gregorian calendar.
    static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        // Years are counted from a 1st of March, so that the leap day comes last; an era is 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

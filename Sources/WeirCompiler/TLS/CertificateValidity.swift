import WeirEngine

extension CertificateFacts {
    /// What its dates say against it, without who: `expired on 2026-01-31`.
    func problem(atUnix now: Double) -> String? {
        if now >= Double(notAfter) { return "expired on \(CivilDate(unixSeconds: notAfter))" }
        return now < Double(notBefore) ? "is not valid before \(CivilDate(unixSeconds: notBefore))" : nil
    }

    /// The next moment from which its dates say something else.
    func nextChange(afterUnix now: Double) -> Double? {
        [Double(notBefore), Double(notAfter)].filter { $0 > now }.min()
    }
}

/// A day in UTC, as messages show it: `2026-01-31`.
struct CivilDate: Equatable, CustomStringConvertible {
    let year: Int
    let month: Int
    let day: Int

    init(unixSeconds: Int64) {
        // Days since the first of March of the year 0, in eras of 400 years, each of which begins in March: so a leap day
        // is the last of its year.
        let days = Int((Double(unixSeconds) / 86_400).rounded(.down)) + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var description: String {
        func digits(_ number: Int, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))"
    }
}

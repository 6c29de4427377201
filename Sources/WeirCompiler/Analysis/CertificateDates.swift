import WeirConfig

/// From when to when an X.509 certificate is valid (RFC 5280 §4.1.2.5).
struct CertificateDates: Equatable {
    /// Seconds since 1970.
    let notBefore: Double
    let notAfter: Double

    /// Of the first certificate of a PEM text; `nil` when there is none, or it is damaged.
    init?(pem: [UInt8]) {
        guard let der = PEMBlock.first(in: pem, whoseLabelEndsIn: "CERTIFICATE") else { return nil }
        self.init(der: der)
    }

    init?(der: [UInt8]) {
        var file = DERReader(der[...])
        // Certificate and TBSCertificate are sequences; version, serial number, algorithm and issuer come first.
        guard let certificate = file.next(tag: 0x30), file.isAtEnd else { return nil }
        var outer = DERReader(certificate)
        guard let body = outer.next(tag: 0x30) else { return nil }
        var fields = DERReader(body)
        _ = fields.next(tag: 0xA0)
        guard fields.next(tag: 0x02) != nil, fields.next(tag: 0x30) != nil, fields.next(tag: 0x30) != nil,
            let validity = fields.next(tag: 0x30)
        else { return nil }
        var dates = DERReader(validity)
        guard let notBefore = dates.nextTime(), let notAfter = dates.nextTime() else { return nil }
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}

/// A block between `-----BEGIN` and `-----END` (RFC 7468).
enum PEMBlock {
    /// The decoded content of the first block of this kind.
    static func first(in text: [UInt8], whoseLabelEndsIn ending: String) -> [UInt8]? {
        var label: Substring?
        var body = ""
        for line in String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline) {
            if let open = label {
                if line == "-----END \(open)-----" { return Base64.decode(body) }
                // Old key files have headers such as `Proc-Type: 4,ENCRYPTED`.
                if !line.contains(":") { body += line }
            } else if line.hasPrefix("-----BEGIN "), line.hasSuffix("\(ending)-----") {
                label = line.dropFirst("-----BEGIN ".count).dropLast(5)
                body = ""
            }
        }
        return nil
    }
}

/// Reads DER values one behind the other (X.690).
private struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    /// The content of the next value if it has this tag; nothing is read otherwise.
    mutating func next(tag: UInt8) -> ArraySlice<UInt8>? {
        var ahead = rest
        guard ahead.popFirst() == tag, let first = ahead.popFirst() else { return nil }
        var length = Int(first)
        if first & 0x80 != 0 {
            let count = Int(first & 0x7F)
            guard (1...4).contains(count), ahead.count >= count else { return nil }
            length = 0
            for _ in 0..<count { length = length << 8 | Int(ahead.removeFirst()) }
        }
        guard length <= ahead.count else { return nil }
        rest = ahead.dropFirst(length)
        return ahead.prefix(length)
    }

    /// A UTCTime or GeneralizedTime in UTC, in seconds since 1970.
    mutating func nextTime() -> Double? {
        if let text = next(tag: 0x17) { return Self.seconds(text, yearDigits: 2) }
        return next(tag: 0x18).flatMap { Self.seconds($0, yearDigits: 4) }
    }

    private static func seconds(_ text: ArraySlice<UInt8>, yearDigits: Int) -> Double? {
        guard text.count == yearDigits + 11, text.last == UInt8(ascii: "Z") else { return nil }
        var digits = text.dropLast()
        func number(_ count: Int) -> Int? {
            defer { digits = digits.dropFirst(count) }
            return Int(String(decoding: digits.prefix(count), as: UTF8.self))
        }
        guard var year = number(yearDigits), let month = number(2), let day = number(2), let hour = number(2),
            let minute = number(2), let second = number(2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        if yearDigits == 2 { year += year < 50 ? 2000 : 1900 }
        return Double(days(year, month, day)) * 86_400 + Double(hour * 3600 + minute * 60 + second)
    }

    /// Days since 1970 in the Gregorian calendar.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Years begin in March, so that a leap day is the last of its year.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

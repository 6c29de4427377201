/// The moment a request began, as text: the part that changes once a second is kept.
struct LogClock: ~Copyable {
    /// Bytes of `2026-11-21T03:02:05.093Z`.
    static let length = 24

    private let text: UnsafeMutablePointer<UInt8>
    private var second: UInt64 = .max
    private var millisecond: UInt64 = .max

    init() {
        text = .allocate(capacity: Self.length)
        text.initialize(repeating: ASCII.zero, count: Self.length)
    }

    deinit { text.deallocate() }

    /// Writes `length` bytes for a time in nanoseconds since 1970.
    @inline(__always)  // the usual request began in the millisecond the one before it began in
    mutating func write(_ nanoseconds: UInt64, into out: UnsafeMutablePointer<UInt8>) {
        let now = nanoseconds / 1_000_000
        if now != millisecond { advance(to: now) }
        ASCII.copy(text, into: out, count: Self.length)
    }

    private mutating func advance(to now: UInt64) {
        millisecond = now
        if now / 1000 != second {
            second = now / 1000
            writeSecond(Int(second))
        }
        LogCivilTime.put(Int(now % 1000), 3, into: text + 20)
    }

    private func writeSecond(_ seconds: Int) {
        let time = LogCivilTime(unixSeconds: seconds)
        LogCivilTime.put(time.year, 4, into: text)
        text[4] = UInt8(ascii: "-")
        LogCivilTime.put(time.month, 2, into: text + 5)
        text[7] = UInt8(ascii: "-")
        LogCivilTime.put(time.day, 2, into: text + 8)
        text[10] = UInt8(ascii: "T")
        LogCivilTime.put(time.hour, 2, into: text + 11)
        text[13] = ASCII.colon
        LogCivilTime.put(time.minute, 2, into: text + 14)
        text[16] = ASCII.colon
        LogCivilTime.put(time.second, 2, into: text + 17)
        text[19] = ASCII.dot
        text[23] = UInt8(ascii: "Z")
    }
}

/// A moment in the Gregorian calendar, UTC.
struct LogCivilTime {
    let days: Int
    let year: Int
    let month: Int
    let day: Int
    let hour: Int
    let minute: Int
    let second: Int

    init(unixSeconds: Int) {
        days = unixSeconds / 86_400
        let rest = unixSeconds % 86_400
        (year, month, day) = HTTPDate.civil(days)
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
    }

    /// 1 for the 1st of January.
    var dayOfYear: Int {
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return before[month - 1] + day + (isLeap && month > 2 ? 1 : 0)
    }

    /// Writes `digits` digits, with zeros in front.
    static func put(_ number: Int, _ digits: Int, into out: UnsafeMutablePointer<UInt8>) {
        var rest = number
        for index in stride(from: digits - 1, through: 0, by: -1) {
            out[index] = ASCII.zero + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}

/// A piece of the format in `START_TIME(...)`.
enum LogTimePiece: Hashable {
    case byte(UInt8)
    case year
    case yearOfCentury
    case month
    case day
    case dayPadded
    case dayOfYear
    case hour
    case hour12
    case minute
    case second
    case halfOfDay
    case shortMonth
    case longMonth
    case shortDay
    case longDay
    case zoneOffset
    case zoneName
    case unixSeconds
    /// So many digits of the second's fraction.
    case fraction(UInt8)

    static let maxBytes = 20

    private static let months: [StaticString] = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdays: [StaticString] = [
        "Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday",
    ]

    /// Writes at most `maxBytes` bytes; returns how many.
    func write(_ time: LogCivilTime, nanoseconds: UInt64, into out: UnsafeMutablePointer<UInt8>) -> Int {
        switch self {
        case .byte(let byte):
            out[0] = byte
            return 1
        case .year: return Self.put(time.year, 4, out)
        case .yearOfCentury: return Self.put(time.year % 100, 2, out)
        case .month: return Self.put(time.month, 2, out)
        case .day: return Self.put(time.day, 2, out)
        case .dayPadded:
            _ = Self.put(time.day, 2, out)
            if time.day < 10 { out[0] = ASCII.space }
            return 2
        case .dayOfYear: return Self.put(time.dayOfYear, 3, out)
        case .hour: return Self.put(time.hour, 2, out)
        case .hour12: return Self.put((time.hour + 11) % 12 + 1, 2, out)
        case .minute: return Self.put(time.minute, 2, out)
        case .second: return Self.put(time.second, 2, out)
        case .halfOfDay: return ASCII.write(time.hour < 12 ? "AM" : "PM", into: out)
        case .shortMonth: return Self.put(Self.months[time.month - 1], 3, out)
        case .longMonth: return ASCII.write(Self.months[time.month - 1], into: out)
        case .shortDay: return Self.put(Self.weekdays[time.days % 7], 3, out)
        case .longDay: return ASCII.write(Self.weekdays[time.days % 7], into: out)
        case .zoneOffset: return ASCII.write("+0000", into: out)
        case .zoneName: return ASCII.write("UTC", into: out)
        case .unixSeconds: return ASCII.writeDecimal(nanoseconds / 1_000_000_000, into: out)
        case .fraction(let digits):
            let whole = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 9) { room in
                LogCivilTime.put(Int(nanoseconds % 1_000_000_000), 9, into: room.baseAddress!)
                ASCII.copy(room.baseAddress!, into: out, count: Int(digits))
                return Int(digits)
            }
            return whole
        }
    }

    private static func put(_ number: Int, _ digits: Int, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        LogCivilTime.put(number, digits, into: out)
        return digits
    }

    private static func put(_ name: StaticString, _ count: Int, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        ASCII.copy(name.utf8Start, into: out, count: count)
        return count
    }
}

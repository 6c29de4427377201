/// Metrics in Prometheus' text format, version 0.0.4, as bytes.
package struct MetricText: Sendable {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var bytes: [UInt8] = []

    package init() {}

    package enum Kind: Sendable {
        case counter
        case gauge
        case histogram

        fileprivate var text: StaticString {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    /// Takes out what was written.
    package mutating func take() -> [UInt8] {
        let taken = bytes
        bytes = []
        return taken
    }

    // MARK: Lines

    /// Begins a family; its samples must follow at once, and it must not be begun again.
    package mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString) {
        append("# HELP ")
        append(name)
        append(" ")
        append(help)
        append("\n# TYPE ")
        append(name)
        append(" ")
        append(kind.text)
        append("\n")
    }

    /// A sample with labels in the order given.
    package mutating func sample(_ name: StaticString, _ labels: [(StaticString, String)] = [], _ value: Double) {
        beginSample(name, labels)
        // Whole numbers as such: what counts up is read more easily without an exponent.
        if value.magnitude < 1e15, value == value.rounded() {
            if value < 0 { append("-") }
            append(UInt64(value.magnitude))
        } else {
            bytes.append(contentsOf: "\(value)".utf8)
        }
        append("\n")
    }

    private mutating func beginSample(_ name: StaticString, _ labels: [(StaticString, String)]) {
        append(name)
        for (index, label) in labels.enumerated() {
            append(index == 0 ? "{" : ",")
            append(label: label.0, label.1)
        }
        append(labels.isEmpty ? " " : "} ")
    }

    /// A family of one sample without labels.
    package mutating func single(_ name: StaticString, _ kind: Kind, _ help: StaticString, _ value: Double) {
        family(name, kind, help)
        sample(name, [], value)
    }

    // MARK: Parts of a line

    mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ other: [UInt8]) { bytes.append(contentsOf: other) }

    mutating func append(_ number: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { room in
            var start = 20
            var left = number
            repeat {
                start -= 1
                room[start] = UInt8(ascii: "0") + UInt8(left % 10)
                left /= 10
            } while left > 0
            bytes.append(contentsOf: room[start...])
        }
    }

    /// `name="value"`, escaped.
    mutating func append(label name: StaticString, _ value: String) {
        append(name)
        append("=\"")
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\n"): append("\\n")
            default: bytes.append(byte)
            }
        }
        append("\"")
    }
}

/// An address as text, borrowed from the `LogAddressText` of the connection or endpoint it belongs to.
///
/// Trivial. Nothing in it needs an escape.
struct LogAddress {
    /// Where its parts lie, then the text: `LogAddressText` writes it.
    fileprivate let memory: UnsafePointer<UInt8>

    /// As these parts, may be read for a few bytes more than it has (`AccessLogLimits.slackBytes`).
    var whole: (start: UnsafePointer<UInt8>, count: Int) { (text, count) }
    var host: (start: UnsafePointer<UInt8>, count: Int) { (text + Int(memory[1]), Int(memory[2])) }
    var port: (start: UnsafePointer<UInt8>, count: Int)? {
        let start = Int(memory[3])
        return start == 0 ? nil : (text + start, count - start)
    }

    private var text: UnsafePointer<UInt8> { memory + LogAddressText.partsBytes }
    private var count: Int { Int(memory[0]) }
}

/// Owner of an address's text: made once a connection or endpoint, where the access log asks for it.
struct LogAddressText: ~Copyable {
    /// Longest text: a unix socket's path.
    static let maxBytes = 108
    /// Length of the text; start and length of the host; start of the port, 0 where there is none.
    fileprivate static let partsBytes = 4
    private static let capacity = partsBytes + maxBytes + AccessLogLimits.slackBytes

    private var memory: UnsafeMutablePointer<UInt8>
    var address: LogAddress { LogAddress(memory: memory) }

    /// Writes `10.0.0.1:80`, `[::1]:80`, or the path, into no more memory than it needs.
    init(_ address: EndpointAddress) {
        memory = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.capacity) { room in
            room.initialize(repeating: 0)
            let written = room.baseAddress!
            let count = Self.write(address, into: written) + AccessLogLimits.slackBytes
            let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
            memory.initialize(from: written, count: count)
            return memory
        }
    }

    /// As the other, with room for each address that it may become.
    init(reusedFor address: EndpointAddress) {
        memory = .allocate(capacity: Self.capacity)
        memory.initialize(repeating: 0, count: Self.capacity)
        _ = Self.write(address, into: memory)
    }

    /// Becomes the text of another address, in the same memory, which `init(reusedFor:)` has made.
    mutating func set(_ address: EndpointAddress) { _ = Self.write(address, into: memory) }

    /// Returns how many bytes parts and text have.
    private static func write(_ address: EndpointAddress, into memory: UnsafeMutablePointer<UInt8>) -> Int {
        let text = memory + partsBytes
        func finish(count: Int, hostStart: Int, hostCount: Int, portStart: Int) -> Int {
            memory[0] = UInt8(count)
            memory[1] = UInt8(hostStart)
            memory[2] = UInt8(hostCount)
            memory[3] = UInt8(portStart)
            return partsBytes + count
        }
        if address.family == .unix {
            let count = min(address.path.count, maxBytes)
            for index in 0..<count {
                let byte = address.path[index]
                text[index] = LogLine.isPlain(byte) ? byte : ASCII.question
            }
            return finish(count: count, hostStart: 0, hostCount: count, portStart: 0)
        }
        let bracket = address.family == .ipv6 ? 1 : 0
        text[0] = ASCII.openBracket
        let hostCount = address.writeHost(into: text + bracket)
        text[bracket + hostCount] = ASCII.closeBracket
        let portStart = hostCount + 2 * bracket + 1
        text[portStart - 1] = ASCII.colon
        let portCount = ASCII.writeDecimal(UInt64(address.port), into: text + portStart)
        return finish(count: portStart + portCount, hostStart: bracket, hostCount: hostCount, portStart: portStart)
    }

    deinit { memory.deallocate() }
}

/// Texts of our own ends of connections, of which there are few: connections to the same address share one.
///
/// Loop thread only.
final class LocalAddressTexts {
    /// Addresses that are remembered, as long as this lives.
    static let most = 16

    private final class Known {
        let address: EndpointAddress
        let text: LogAddressText

        init(_ address: EndpointAddress) {
            self.address = address
            text = LogAddressText(address)
        }
    }

    private var known: [Known] = []

    /// The text of an address; `nil` when too many others are remembered.
    func text(of address: EndpointAddress) -> LogAddress? {
        if let found = known.first(where: { $0.address == address }) { return found.text.address }
        guard known.count < Self.most, address.family != .unix else { return nil }
        let made = Known(address)
        known.append(made)
        return made.text.address
    }
}

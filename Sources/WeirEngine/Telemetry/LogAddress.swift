/// An address as text, borrowed from the `LogAddressText` of the connection or endpoint it belongs to.
///
/// Trivial. Nothing in it needs an escape.
struct LogAddress {
    fileprivate let text: UnsafePointer<UInt8>
    fileprivate let count: UInt8
    fileprivate let hostStart: UInt8
    fileprivate let hostCount: UInt8
    /// 0 = there is none.
    fileprivate let portStart: UInt8

    /// As these parts, may be read for a few bytes more than it has (`AccessLogLimits.slackBytes`).
    var whole: (start: UnsafePointer<UInt8>, count: Int) { (text, Int(count)) }
    var host: (start: UnsafePointer<UInt8>, count: Int) { (text + Int(hostStart), Int(hostCount)) }
    var port: (start: UnsafePointer<UInt8>, count: Int)? {
        portStart == 0 ? nil : (text + Int(portStart), Int(count - portStart))
    }
}

/// Owner of an address's text: made once a connection or endpoint, where the access log asks for it.
struct LogAddressText: ~Copyable {
    /// Longest text: a unix socket's path.
    static let maxBytes = 108

    private let memory: UnsafeMutablePointer<UInt8>
    private(set) var address: LogAddress

    /// Writes `10.0.0.1:80`, `[::1]:80`, or the path.
    init(_ address: EndpointAddress) {
        let capacity = Self.maxBytes + AccessLogLimits.slackBytes
        memory = .allocate(capacity: capacity)
        memory.initialize(repeating: 0, count: capacity)
        self.address = Self.write(address, into: memory)
    }

    /// Becomes the text of another address, in the same memory.
    mutating func set(_ address: EndpointAddress) { self.address = Self.write(address, into: memory) }

    private static func write(_ address: EndpointAddress, into memory: UnsafeMutablePointer<UInt8>) -> LogAddress {
        if address.family == .unix {
            let count = min(address.path.count, maxBytes)
            for index in 0..<count {
                let byte = address.path[index]
                memory[index] = LogLine.isPlain(byte) ? byte : ASCII.question
            }
            let length = UInt8(count)
            return LogAddress(text: memory, count: length, hostStart: 0, hostCount: length, portStart: 0)
        }
        let bracket = address.family == .ipv6 ? 1 : 0
        memory[0] = ASCII.openBracket
        let hostCount = address.writeHost(into: memory + bracket)
        memory[bracket + hostCount] = ASCII.closeBracket
        let portStart = hostCount + 2 * bracket + 1
        memory[portStart - 1] = ASCII.colon
        let portCount = ASCII.writeDecimal(UInt64(address.port), into: memory + portStart)
        return LogAddress(
            text: memory, count: UInt8(portStart + portCount), hostStart: UInt8(bracket), hostCount: UInt8(hostCount),
            portStart: UInt8(portStart))
    }

    deinit { memory.deallocate() }
}

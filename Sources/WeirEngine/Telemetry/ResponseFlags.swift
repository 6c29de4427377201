/// What went wrong with a request, in the short codes operators search logs and metrics for (semantics 6.6).
struct ResponseFlags: OptionSet, Hashable {
    let rawValue: UInt32

    // What befell the request stands in the order in which it did: first what its route made up.
    static let delayInjected = ResponseFlags(rawValue: 1 << 0)
    static let faultInjected = ResponseFlags(rawValue: 1 << 1)
    /// Written in front of the reason of the last try.
    static let retryLimitExceeded = ResponseFlags(rawValue: 1 << 2)
    static let noRoute = ResponseFlags(rawValue: 1 << 3)
    static let noCluster = ResponseFlags(rawValue: 1 << 4)
    static let noHealthyUpstream = ResponseFlags(rawValue: 1 << 5)
    static let upstreamTimeout = ResponseFlags(rawValue: 1 << 6)
    static let upstreamConnectFailure = ResponseFlags(rawValue: 1 << 7)
    static let upstreamOverflow = ResponseFlags(rawValue: 1 << 8)
    static let upstreamClosed = ResponseFlags(rawValue: 1 << 9)
    static let upstreamReset = ResponseFlags(rawValue: 1 << 10)
    static let upstreamProtocolError = ResponseFlags(rawValue: 1 << 11)
    static let downstreamProtocolError = ResponseFlags(rawValue: 1 << 12)
    static let downstreamLeft = ResponseFlags(rawValue: 1 << 13)
    static let idleTimeout = ResponseFlags(rawValue: 1 << 14)
    static let localReset = ResponseFlags(rawValue: 1 << 15)
    static let durationLimit = ResponseFlags(rawValue: 1 << 16)

    /// The codes in the order of their bits.
    static let codes: [StaticString] = [
        "DI", "FI", "URX", "NR", "NC", "UH", "UT", "UF", "UO", "UC", "UR", "UPE", "DPE", "DC", "SI", "LR", "DT",
    ]
    /// What the codes stand for, in the same order.
    private static let names: [StaticString] = [
        "DelayInjected", "FaultInjected", "UpstreamRetryLimitExceeded", "NoRouteFound", "NoClusterFound",
        "NoHealthyUpstream", "UpstreamRequestTimeout", "UpstreamConnectionFailure", "UpstreamOverflow",
        "UpstreamConnectionTermination", "UpstreamRemoteReset", "UpstreamProtocolError", "DownstreamProtocolError",
        "DownstreamConnectionTermination", "StreamIdleTimeout", "LocalReset", "DurationTimeout",
    ]
    /// Bytes the longest text can have: every code, with commas between.
    static let maxTextBytes = codes.reduce(0) { $0 + $1.utf8CodeUnitCount + 1 }

    static let maxLongTextBytes = names.reduce(0) { $0 + $1.utf8CodeUnitCount + 1 }

    /// Writes the codes, separated by commas, or `-` when there is none; returns their length.
    ///
    /// There must be room for `maxTextBytes`.
    func write(into room: UnsafeMutablePointer<UInt8>) -> Int { write(Self.codes, into: room) }

    /// As `write`, with the long names; there must be room for `maxLongTextBytes`.
    func writeLong(into room: UnsafeMutablePointer<UInt8>) -> Int { write(Self.names, into: room) }

    private func write(_ texts: [StaticString], into room: UnsafeMutablePointer<UInt8>) -> Int {
        guard rawValue != 0 else {
            room[0] = UInt8(ascii: "-")
            return 1
        }
        var length = 0
        for (index, code) in texts.enumerated() where rawValue & (1 << UInt32(index)) != 0 {
            if length > 0 {
                room[length] = UInt8(ascii: ",")
                length += 1
            }
            (room + length).update(from: code.utf8Start, count: code.utf8CodeUnitCount)
            length += code.utf8CodeUnitCount
        }
        return length
    }

    var text: String {
        String(unsafeUninitializedCapacity: Self.maxTextBytes) { write(into: $0.baseAddress!) }
    }
}

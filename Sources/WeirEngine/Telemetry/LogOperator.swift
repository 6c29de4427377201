/// Which text of a request an operator names.
enum LogHeader: Equatable {
    case none
    case method
    /// Path and query as they go upstream.
    case path
    case authority
    case scheme
    /// A header line, by its place in the format's table of names.
    case line(UInt8)
}

/// Which part of an address is printed.
enum LogAddressPart: UInt8 {
    case whole
    case host
    case port
}

/// How `grpc-status` is printed.
enum LogGRPCStyle: UInt8 {
    /// `DeadlineExceeded`
    case camel
    /// `DEADLINE_EXCEEDED`
    case snake
    case number
}

/// One piece of a log line.
///
/// Trivial; texts lie in the format's arena.
enum LogOperator: Equatable {
    /// `2026-11-21T03:02:05.093Z`
    case startTime
    /// Pieces of the format's table of times.
    case startTimeFormat(first: UInt16, count: UInt16)
    case request(LogHeader, LogHeader)
    case requestWithoutQuery(LogHeader, LogHeader)
    /// Places in the format's table of response headers; -1 = none.
    case response(Int8, Int8)
    case upstreamServiceTime
    case protocolName
    case responseCode
    case responseFlags
    case responseFlagsLong
    case details
    case transportFailure
    case bytesReceived
    case bytesSent
    case duration
    case requestDuration
    case responseDuration
    case responseTransmission
    case upstreamHost(LogAddressPart)
    case upstreamCluster
    case upstreamLocal(LogAddressPart)
    case downstreamLocal(LogAddressPart)
    case downstreamRemote(LogAddressPart)
    case routeName
    case grpcStatus(LogGRPCStyle)
    case requestHeadBytes
    case responseHeadBytes
    case connectionID
    case uniqueID
    case attemptCount
    /// Known, and never there.
    case absent
}

/// How what an operator names becomes bytes.
enum LogStyle: UInt8 {
    /// Absent is `-`; what came from a peer is printed in visible ASCII.
    case text
    /// Inside a JSON string: absent is `-`.
    case jsonPart
    /// A JSON value of its own: absent is `null`.
    case jsonValue
}

/// A text of the format, then an operator with the way it is printed.
struct LogStep {
    /// Where the text lies in the arena.
    var textStart: UInt32
    var textCount: UInt32
    var operation: LogOperator
    var style: LogStyle
    /// Longest text; never more than `AccessLogLimits.fieldBytes`.
    var limit: UInt16
}

/// Bounds of a line.
enum AccessLogLimits {
    /// A line with its end.
    static let lineBytes = 16 * 1024
    /// Bytes behind a line's end, and behind a format's arena, that short copies may touch.
    static let slackBytes = 16
    /// A header, a path or a name in a line, as it is printed; the rest is cut off.
    static let fieldBytes = 4 * 1024
    /// What of a line has a known bound: its own text, numbers, addresses.
    ///
    /// A format with more is refused. At least the other half is left for headers, paths and names together.
    static let fixedBytes = 8 * 1024
    /// Different request headers a format may name.
    static let requestHeaders = 32
    /// Different response headers a format may name.
    static let responseHeaders = 16
    /// A response header or a route's name as it is kept until the line is written.
    static let keptBytes = 1024
    /// A JSON format's objects and arrays inside each other.
    static let jsonDepth = 16
}

extension LogOperator {
    /// Bytes this operator can take in addition to what a line sets aside for headers, paths and names.
    var bound: Int {
        switch self {
        case .startTime: 26
        case .startTimeFormat(_, let count): 2 + Int(count) * LogTimePiece.maxBytes
        // Quotes, or null.
        case .request, .requestWithoutQuery, .response, .upstreamCluster, .routeName, .absent: 4
        case .upstreamServiceTime, .bytesReceived, .bytesSent, .duration, .requestDuration, .responseDuration,
            .responseTransmission, .requestHeadBytes, .responseHeadBytes, .connectionID, .attemptCount, .responseCode:
            2 + ASCII.decimalBound
        case .protocolName: 2 + 8
        case .responseFlags: 2 + ResponseFlags.maxTextBytes
        case .responseFlagsLong: 2 + ResponseFlags.maxLongTextBytes
        case .details, .transportFailure: 2 + ConnectErrorText.maxDetailsBytes
        case .upstreamHost, .upstreamLocal, .downstreamLocal, .downstreamRemote: 2 + EndpointAddress.maxText
        case .grpcStatus: 2 + GRPCStatusName.maxBytes
        case .uniqueID: 2 + RequestID.length
        }
    }
}

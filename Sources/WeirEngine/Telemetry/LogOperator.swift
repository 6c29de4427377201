/// Which text of a request an operator names.
struct LogHeader: Equatable {
    let code: UInt8

    static let none = LogHeader(code: 0)
    static let method = LogHeader(code: 1)
    /// Path and query as they go upstream.
    static let path = LogHeader(code: 2)
    static let authority = LogHeader(code: 3)
    static let scheme = LogHeader(code: 4)
    /// What the client asked for, where Weir has rewritten it.
    static let originalPath = LogHeader(code: 5)
    /// Codes from here on are header lines, by their place in the format's table of names.
    static let firstLine: UInt8 = 8

    static func line(_ place: Int) -> LogHeader { LogHeader(code: firstLine + UInt8(place)) }
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

/// What one piece of a log line is.
///
/// Without payloads, so that a line is a walk over small steps and one jump each; what an operator needs stands in
/// `LogOperation`.
enum LogOperator: UInt8 {
    /// `2026-11-21T03:02:05.093Z`
    case startTime
    /// The first piece in the format's table of times; the step's limit is their number.
    case startTimeFormat
    /// Two of `LogHeader`.
    case request
    case requestWithoutQuery
    /// Two places in the format's table of response headers, counted from 1; 0 = none.
    case response
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
    /// These four: `LogAddressPart`.
    case upstreamHost
    case upstreamLocal
    case downstreamLocal
    case downstreamRemote
    case downstreamDirect
    case upstreamCluster
    case routeName
    /// `LogGRPCStyle`.
    case grpcStatus
    case requestHeadBytes
    case responseHeadBytes
    case connectionID
    case uniqueID
    case attemptCount
    /// `LogConnectionFact`.
    case connectionFact
}

/// An operator with what it needs to know.
struct LogOperation: Hashable {
    var code: LogOperator
    var first: UInt8 = 0
    var second: UInt8 = 0

    init(_ code: LogOperator, _ first: UInt8 = 0, _ second: UInt8 = 0) {
        self.code = code
        self.first = first
        self.second = second
    }

    init(_ fact: LogConnectionFact) { self.init(.connectionFact, fact.rawValue) }
    init(_ code: LogOperator, _ part: LogAddressPart) { self.init(code, part.rawValue) }
}

/// How what an operator names becomes bytes.
enum LogStyle: UInt8 {
    /// Absent is `-`; what came from a peer is printed in visible ASCII.
    case text
    /// Inside a JSON string: absent is `-`.
    case jsonPart
    /// A JSON value of its own: absent is `null`.
    case jsonValue
    /// Inside a header's value: absent is nothing, and bytes stay what they are.
    case header
}

extension LogStyle {
    var isJSON: Bool { self == .jsonPart || self == .jsonValue }

    /// What stands for a value that is not there.
    var absent: String {
        switch self {
        case .text, .jsonPart: "-"
        case .jsonValue: "null"
        case .header: ""
        }
    }
}

/// A text of the format, then an operator with the way it is printed.
struct LogStep {
    /// Where the text lies in the arena.
    var textStart: UInt32
    var textCount: UInt16
    /// Longest text; in a log never more than `AccessLogLimits.fieldBytes`.
    var limit: UInt16
    var operation: LogOperation
    var style: LogStyle
}

/// Bounds of a line.
enum AccessLogLimits {
    /// A line with its end.
    static let lineBytes = 16 * 1024
    /// Bytes behind a line's end, and behind a format's arena, that short copies may touch.
    static let slackBytes = 32
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

extension LogStep {
    /// Bytes of a line this step can take in addition to what is set aside for headers, paths and names.
    var bound: Int {
        let value =
            switch operation.code {
            case .startTime: LogClock.length
            case .startTimeFormat: Int(limit) * LogTimePiece.maxBytes
            // Nothing but null.
            case .request, .requestWithoutQuery, .response, .upstreamCluster, .routeName, .connectionFact: 2
            case .upstreamServiceTime, .bytesReceived, .bytesSent, .duration, .requestDuration, .responseDuration,
                .responseTransmission, .requestHeadBytes, .responseHeadBytes, .connectionID, .attemptCount,
                .responseCode:
                ASCII.decimalBound
            case .protocolName: 8
            case .responseFlags: ResponseFlags.maxTextBytes
            case .responseFlagsLong: ResponseFlags.maxLongTextBytes
            case .details, .transportFailure: ConnectErrorText.maxDetailsBytes
            case .upstreamHost, .upstreamLocal, .downstreamLocal, .downstreamRemote, .downstreamDirect:
                LogAddressText.maxBytes
            case .grpcStatus: GRPCStatusName.maxBytes
            case .uniqueID: RequestID.length
            }
        // With its quotes.
        return Int(textCount) + value + 2
    }
}

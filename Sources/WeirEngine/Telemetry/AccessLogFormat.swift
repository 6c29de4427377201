import Glibc

/// A format that cannot be used: where, and why.
package struct AccessLogFormatError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    /// The same without saying that it is about the access log.
    let finding: String

    init(_ description: String, finding: String? = nil) {
        self.description = description
        self.finding = finding ?? description
    }

    /// `position` counts bytes from 1.
    init(at position: Int, _ what: String) {
        finding = "byte \(position): \(what)"
        description = "Access log format, \(finding)."
    }
}

/// What a line of the access log looks like, compiled.
///
/// Immutable and shared by all workers.
package struct AccessLogFormat: Sendable {
    let compiled: CompiledLogFormat

    /// Istio's default line (semantics 6.7).
    package static let text: StaticString = """
        [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% \
        %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
        "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
        %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" \
        "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% \
        %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%

        """

    /// Istio's default keys, in the order of the text line.
    package static let json: StaticString = """
        {"start_time":"%START_TIME%","method":"%REQ(:METHOD)%","path":"%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",\
        "protocol":"%PROTOCOL%","response_code":"%RESPONSE_CODE%","response_flags":"%RESPONSE_FLAGS%",\
        "response_code_details":"%RESPONSE_CODE_DETAILS%",\
        "connection_termination_details":"%CONNECTION_TERMINATION_DETAILS%",\
        "upstream_transport_failure_reason":"%UPSTREAM_TRANSPORT_FAILURE_REASON%",\
        "bytes_received":"%BYTES_RECEIVED%","bytes_sent":"%BYTES_SENT%","duration":"%DURATION%",\
        "upstream_service_time":"%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%","x_forwarded_for":"%REQ(X-FORWARDED-FOR)%",\
        "user_agent":"%REQ(USER-AGENT)%","request_id":"%REQ(X-REQUEST-ID)%","authority":"%REQ(:AUTHORITY)%",\
        "upstream_host":"%UPSTREAM_HOST%","upstream_cluster":"%UPSTREAM_CLUSTER_RAW%",\
        "upstream_local_address":"%UPSTREAM_LOCAL_ADDRESS%",\
        "downstream_local_address":"%DOWNSTREAM_LOCAL_ADDRESS%",\
        "downstream_remote_address":"%DOWNSTREAM_REMOTE_ADDRESS%",\
        "requested_server_name":"%REQUESTED_SERVER_NAME%","route_name":"%ROUTE_NAME%"}
        """

    /// `text`, compiled.
    package static let istioText: AccessLogFormat = {
        do throws(AccessLogFormatError) {
            return try AccessLogFormat("text")
        } catch {
            preconditionFailure("Istio's own line does not compile: \(error)")
        }
    }()

    /// Compiles `text`, `json`, a JSON object whose strings hold operators, or a line of text with operators.
    ///
    /// Reads the host's name and the environment where the format asks for them.
    package init(_ argument: String) throws(AccessLogFormatError) {
        let text =
            // Istio writes TEXT and JSON.
            switch argument.lowercased() {
            case "text": "\(Self.text)"
            case "json": "\(Self.json)"
            default: argument
            }
        guard !text.isEmpty else {
            throw AccessLogFormatError("The access log's format is empty. Write text, json or a format of your own.")
        }
        var builder = LogFormatBuilder()
        if text.utf8.first == UInt8(ascii: "{") {
            var reader = LogFormatJSON(Array(text.utf8))
            try reader.compile(into: &builder)
        } else {
            let pieces = try LogFormatParser.parse(Array(text.utf8))
            for piece in pieces { try builder.append(piece, style: .text) }
        }
        compiled = try builder.build()
    }
}

/// A header's name as the steps of a format look for it.
///
/// Trivial; borrows from the format's arena.
struct LogHeaderName {
    let token: HeaderName
    let name: UnsafePointer<UInt8>
    let length: UInt32

    func matches(_ field: HeaderField) -> Bool {
        guard field.token == token else { return false }
        if token != .other && token != .xEnvoyControl { return true }
        return field.nameLength == length && memcmp(field.name, name, Int(length)) == 0
    }
}

/// The steps of a format with everything they refer to.
final class CompiledLogFormat: @unchecked Sendable {
    // Sendable: immutable after init; what the pointers lead to is freed by deinit alone.

    let steps: UnsafePointer<LogStep>
    let stepCount: Int
    /// The text behind the last step, with the line's end.
    let tailStart: Int
    let tailCount: Int
    let arena: UnsafePointer<UInt8>
    let timePieces: UnsafePointer<LogTimePiece>
    let requestHeaders: UnsafePointer<LogHeaderName>
    let requestHeaderCount: Int
    let responseHeaders: UnsafePointer<LogHeaderName>
    let responseHeaderCount: Int
    /// By a header's token: its place among the request headers, `noPlace` for those not asked for, `byName` for tokens that
    /// stand for several names.
    let places: UnsafePointer<UInt8>
    static let noPlace: UInt8 = 255
    static let byName: UInt8 = 254
    /// Bytes that the bounded steps can take together.
    let fixedBytes: Int
    let wantsRouteName: Bool
    let wantsUpstreamLocal: Bool
    let wantsDownstreamLocal: Bool
    let wantsDownstreamRemote: Bool
    let wantsDownstreamDirect: Bool

    init(_ builder: LogFormatBuilder) {
        let slack = [UInt8](repeating: 0, count: AccessLogLimits.slackBytes)
        let arena = UnsafePointer(UnsafeMutablePointer<UInt8>.copy(of: builder.arena + slack))
        func names(_ list: [LogFormatBuilder.Name]) -> UnsafePointer<LogHeaderName> {
            let entries = list.map {
                let name = arena + $0.start
                let token = HeaderName.lookup(name, length: $0.count)
                return LogHeaderName(token: token, name: name, length: UInt32($0.count))
            }
            return UnsafePointer(UnsafeMutablePointer.copy(of: entries))
        }
        self.arena = arena
        steps = UnsafePointer(UnsafeMutablePointer.copy(of: builder.steps))
        stepCount = builder.steps.count
        tailStart = builder.text.start
        tailCount = builder.text.count
        timePieces = UnsafePointer(UnsafeMutablePointer.copy(of: builder.timePieces))
        requestHeaders = names(builder.requestHeaders)
        requestHeaderCount = builder.requestHeaders.count
        responseHeaders = names(builder.responseHeaders)
        responseHeaderCount = builder.responseHeaders.count
        places = Self.places(requestHeaders, requestHeaderCount)
        fixedBytes = builder.fixedBytes
        func wants(_ code: LogOperator) -> Bool { builder.steps.contains { $0.operation.code == code } }
        wantsRouteName = wants(.routeName)
        wantsUpstreamLocal = wants(.upstreamLocal)
        wantsDownstreamLocal = wants(.downstreamLocal)
        wantsDownstreamDirect = wants(.downstreamDirect)
        wantsDownstreamRemote = wants(.downstreamRemote) || wantsDownstreamDirect
    }

    private static func places(_ names: UnsafePointer<LogHeaderName>, _ count: Int) -> UnsafePointer<UInt8> {
        var places = [UInt8](repeating: noPlace, count: 256)
        for index in 0..<count {
            let token = names[index].token
            places[Int(token.rawValue)] = token.text.utf8CodeUnitCount == 0 ? byName : UInt8(index)
        }
        return UnsafePointer(UnsafeMutablePointer.copy(of: places))
    }

    deinit {
        UnsafeMutablePointer(mutating: steps).deallocate()
        UnsafeMutablePointer(mutating: arena).deallocate()
        UnsafeMutablePointer(mutating: timePieces).deallocate()
        UnsafeMutablePointer(mutating: places).deallocate()
        UnsafeMutablePointer(mutating: requestHeaders).deallocate()
        UnsafeMutablePointer(mutating: responseHeaders).deallocate()
    }
}

/// Collects a format's steps.
struct LogFormatBuilder {
    /// Bytes of the arena.
    struct Name: Equatable {
        var start: Int
        var count: Int
    }

    /// Text that no operator has followed yet.
    private(set) var text = Name(start: 0, count: 0)
    private var isTooLong = false

    private(set) var steps: [LogStep] = []
    private(set) var arena: [UInt8] = []
    private(set) var timePieces: [LogTimePiece] = []
    private(set) var requestHeaders: [Name] = []
    private(set) var responseHeaders: [Name] = []

    var fixedBytes: Int { steps.reduce(text.count) { $0 + $1.bound } }

    mutating func build() throws(AccessLogFormatError) -> CompiledLogFormat {
        // A line ends with a line break, once.
        if text.count == 0 || arena[text.start + text.count - 1] != ASCII.lineFeed {
            append(literal: [ASCII.lineFeed])
        }
        guard fixedBytes <= AccessLogLimits.fixedBytes, !isTooLong else {
            throw AccessLogFormatError(
                """
                The access log's format is too long: its own text, numbers and addresses can take \(fixedBytes) bytes \
                of a line, more than \(AccessLogLimits.fixedBytes).
                """)
        }
        return CompiledLogFormat(self)
    }

    /// What has been appended, as it stands: for the value of a header, which has no line's end.
    func buildValue() throws(AccessLogFormatError) -> CompiledLogFormat {
        guard fixedBytes <= AccessLogLimits.fixedBytes, !isTooLong else {
            let finding = "the text around its operators is longer than \(AccessLogLimits.fixedBytes) bytes"
            throw AccessLogFormatError(finding)
        }
        return CompiledLogFormat(self)
    }

    mutating func append(literal bytes: [UInt8]) {
        if text.count == 0 { text.start = arena.count }
        precondition(text.start + text.count == arena.count, "something lies between two pieces of one text")
        arena += bytes
        text.count += bytes.count
    }

    mutating func append(_ piece: LogPiece, style: LogStyle) throws(AccessLogFormatError) {
        switch piece {
        case .literal(let bytes): append(literal: style.isJSON ? LogFormatJSON.escaped(bytes) : bytes)
        case .value(let text, let limit): append(value: text, limit, style)
        case .operation(let operation, let limit): append(operation, limit, style)
        case .startTime(let pieces):
            guard timePieces.count + pieces.count <= AccessLogLimits.fixedBytes else {
                throw AccessLogFormatError("The access log's format has too long a START_TIME.")
            }
            let first = UInt16(timePieces.count)
            timePieces += pieces
            append(LogOperation(.startTimeFormat, UInt8(first & 0xff), UInt8(first >> 8)), pieces.count, style)
        case .request(let main, let alternative, let limit):
            append(try header(.request, main, alternative), limit, style)
        case .requestWithoutQuery(let main, let alternative, let limit):
            append(try header(.requestWithoutQuery, main, alternative), limit, style)
        case .response(let main, let alternative, let limit):
            append(LogOperation(.response, try response(main), try response(alternative)), limit, style)
        }
    }

    /// A text that is known already, or known to be absent.
    private mutating func append(value text: String?, _ limit: Int?, _ style: LogStyle) {
        guard let text else { return append(literal: Array(style.absent.utf8)) }
        var bytes = Array(text.utf8)
        bytes = Array(bytes.prefix(min(limit ?? .max, AccessLogLimits.fieldBytes)))
        switch style {
        case .text, .header:
            // Nothing may break a line in two.
            append(literal: bytes.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 })
        case .jsonPart: append(literal: LogFormatJSON.escaped(bytes))
        case .jsonValue: append(literal: Array("\"".utf8) + LogFormatJSON.escaped(bytes) + Array("\"".utf8))
        }
    }

    private mutating func append(_ operation: LogOperation, _ limit: Int?, _ style: LogStyle) {
        let most = style == .header ? Int(UInt16.max) : AccessLogLimits.fieldBytes
        let bounded = min(limit ?? most, most)
        // What is always there, and is no number, has its quotes in the text around it.
        let isQuoted = style == .jsonValue && operation.code.isAlwaysText
        if isQuoted { append(literal: [UInt8(ascii: "\"")]) }
        // No overflow beyond what `build` refuses: a step's text is a part of the format's.
        let count = UInt16(clamping: text.count)
        steps.append(
            LogStep(
                textStart: UInt32(text.start), textCount: count, limit: UInt16(bounded), operation: operation,
                style: isQuoted ? .jsonPart : style))
        isTooLong = isTooLong || Int(count) != text.count
        text.count = 0
        if isQuoted { append(literal: [UInt8(ascii: "\"")]) }
    }

    private mutating func header(
        _ code: LogOperator, _ main: String, _ alternative: String
    ) throws(AccessLogFormatError) -> LogOperation {
        let first = try header(main)
        return LogOperation(code, first.code, try header(alternative).code)
    }

    private mutating func header(_ name: String) throws(AccessLogFormatError) -> LogHeader {
        switch name {
        case "": .none
        // What Weir knows of it; a client's line of this name is not let in.
        case "x-envoy-original-path": .originalPath
        case ":method": .method
        case ":path": .path
        case ":authority", "host": .authority
        case ":scheme": .scheme
        default: .line(try place(of: name, \.requestHeaders, atMost: AccessLogLimits.requestHeaders))
        }
    }

    private mutating func response(_ name: String) throws(AccessLogFormatError) -> UInt8 {
        if name.isEmpty { return 0 }
        return 1 + UInt8(try place(of: name, \.responseHeaders, atMost: AccessLogLimits.responseHeaders))
    }

    private mutating func place(
        of name: String, _ list: WritableKeyPath<Self, [Name]>, atMost limit: Int
    ) throws(AccessLogFormatError) -> Int {
        let bytes = Array(name.utf8)
        let known = self[keyPath: list]
        if let index = known.firstIndex(where: { Array(arena[$0.start..<($0.start + $0.count)]) == bytes }) {
            return index
        }
        guard known.count < limit else {
            throw AccessLogFormatError(
                "The access log's format names more than \(limit) headers of one side.",
                finding: "it names more than \(limit) headers of one side")
        }
        self[keyPath: list].append(Name(start: arena.count, count: bytes.count))
        arena += bytes
        return known.count
    }
}

extension LogOperator {
    /// Neither a number nor ever absent.
    fileprivate var isAlwaysText: Bool {
        switch self {
        case .startTime, .startTimeFormat, .protocolName, .responseFlags, .responseFlagsLong, .details, .uniqueID: true
        default: false
        }
    }
}

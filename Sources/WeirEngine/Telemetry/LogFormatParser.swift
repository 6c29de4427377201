import Glibc

/// A piece of a format as it was written.
enum LogPiece: Hashable {
    case literal([UInt8])
    /// A text known when the format is compiled; `nil` when there is none.
    case value(String?, limit: Int?)
    case operation(LogOperation, limit: Int?)
    case startTime([LogTimePiece])
    /// Lower-case names; the second is printed when the first is absent, and may be empty.
    case request(String, String, limit: Int?)
    case requestWithoutQuery(String, String, limit: Int?)
    case response(String, String, limit: Int?)
}

/// Reads text with Envoy's operators: `%NAME%`, `%NAME(ARGUMENT)%`, `%NAME(ARGUMENT):LENGTH%`, `%%`.
struct LogFormatParser {
    private let text: [UInt8]
    private var index = 0

    private init(_ text: [UInt8]) { self.text = text }

    static func parse(_ text: [UInt8]) throws(AccessLogFormatError) -> [LogPiece] {
        var parser = LogFormatParser(text)
        return try parser.pieces()
    }

    private mutating func pieces() throws(AccessLogFormatError) -> [LogPiece] {
        var pieces: [LogPiece] = []
        var literal: [UInt8] = []
        while index < text.count {
            let byte = text[index]
            guard byte == UInt8(ascii: "%") else {
                literal.append(byte)
                index += 1
                continue
            }
            if index + 1 < text.count, text[index + 1] == UInt8(ascii: "%") {
                literal.append(byte)
                index += 2
                continue
            }
            if !literal.isEmpty { pieces.append(.literal(literal)) }
            literal = []
            pieces.append(try piece())
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        return pieces
    }

    /// Reads from one percent sign to the next.
    private mutating func piece() throws(AccessLogFormatError) -> LogPiece {
        let position = index + 1
        index += 1
        let name = word { ($0 | 0x20) &- UInt8(ascii: "a") < 26 || ASCII.isDigit($0) || $0 == UInt8(ascii: "_") }
        guard !name.isEmpty else {
            throw Self.failure(position, "an operator's name must follow '%'; write '%%' for a percent sign")
        }
        var argument: String?
        if take("(") {
            argument = word { $0 != UInt8(ascii: ")") }
            guard take(")") else { throw Self.failure(position, "the ')' of %\(name)( is missing") }
        }
        var limit: Int?
        if take(":") {
            let digits = word(ASCII.isDigit)
            guard let number = Int(digits), number > 0, number <= 65535 else {
                throw Self.failure(position, "a length of 1 to 65535 must follow the ':' of %\(name)")
            }
            limit = number
        }
        guard take("%") else { throw Self.failure(position, "the closing '%' of %\(name) is missing") }
        return try LogOperatorName(name: name, argument: argument, limit: limit, position: position).piece()
    }

    private mutating func word(_ belongs: (UInt8) -> Bool) -> String {
        let start = index
        while index < text.count, belongs(text[index]) { index += 1 }
        return String(decoding: text[start..<index], as: UTF8.self)
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard index < text.count, text[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    static func failure(_ position: Int, _ what: String) -> AccessLogFormatError {
        AccessLogFormatError(at: position, what)
    }
}

/// An operator as it was written, looked up.
struct LogOperatorName {
    let name: String
    let argument: String?
    let limit: Int?
    let position: Int

    /// Operators without an argument.
    private static let plain: [String: LogOperation] = [
        "PROTOCOL": LogOperation(.protocolName), "RESPONSE_CODE": LogOperation(.responseCode),
        "RESPONSE_FLAGS": LogOperation(.responseFlags), "RESPONSE_FLAGS_LONG": LogOperation(.responseFlagsLong),
        "RESPONSE_CODE_DETAILS": LogOperation(.details),
        "UPSTREAM_TRANSPORT_FAILURE_REASON": LogOperation(.transportFailure),
        "BYTES_RECEIVED": LogOperation(.bytesReceived), "BYTES_SENT": LogOperation(.bytesSent),
        "DURATION": LogOperation(.duration), "REQUEST_DURATION": LogOperation(.requestDuration),
        "RESPONSE_DURATION": LogOperation(.responseDuration),
        "RESPONSE_TX_DURATION": LogOperation(.responseTransmission),
        "UPSTREAM_HOST": LogOperation(.upstreamHost, .whole),
        "UPSTREAM_REMOTE_ADDRESS": LogOperation(.upstreamHost, .whole),
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": LogOperation(.upstreamHost, .host),
        "UPSTREAM_REMOTE_PORT": LogOperation(.upstreamHost, .port),
        "UPSTREAM_CLUSTER": LogOperation(.upstreamCluster), "UPSTREAM_CLUSTER_RAW": LogOperation(.upstreamCluster),
        "UPSTREAM_LOCAL_ADDRESS": LogOperation(.upstreamLocal, .whole),
        "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": LogOperation(.upstreamLocal, .host),
        "UPSTREAM_LOCAL_PORT": LogOperation(.upstreamLocal, .port),
        "DOWNSTREAM_LOCAL_ADDRESS": LogOperation(.downstreamLocal, .whole),
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": LogOperation(.downstreamLocal, .host),
        "DOWNSTREAM_LOCAL_PORT": LogOperation(.downstreamLocal, .port),
        "DOWNSTREAM_REMOTE_ADDRESS": LogOperation(.downstreamRemote, .whole),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": LogOperation(.downstreamRemote, .host),
        "DOWNSTREAM_REMOTE_PORT": LogOperation(.downstreamRemote, .port),
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": LogOperation(.downstreamDirect, .whole),
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": LogOperation(.downstreamDirect, .host),
        "DOWNSTREAM_DIRECT_REMOTE_PORT": LogOperation(.downstreamDirect, .port),
        "ROUTE_NAME": LogOperation(.routeName), "REQUEST_HEADERS_BYTES": LogOperation(.requestHeadBytes),
        "RESPONSE_HEADERS_BYTES": LogOperation(.responseHeadBytes), "CONNECTION_ID": LogOperation(.connectionID),
        "UNIQUE_ID": LogOperation(.uniqueID), "UPSTREAM_REQUEST_ATTEMPT_COUNT": LogOperation(.attemptCount),
        "REQUESTED_SERVER_NAME": LogOperation(.serverName), "DOWNSTREAM_TLS_VERSION": LogOperation(.version),
        "DOWNSTREAM_TLS_CIPHER": LogOperation(.cipher), "DOWNSTREAM_TLS_SESSION_ID": LogOperation(.sessionID),
        "DOWNSTREAM_PEER_SUBJECT": LogOperation(.subject), "DOWNSTREAM_PEER_ISSUER": LogOperation(.issuer),
        "DOWNSTREAM_PEER_SERIAL": LogOperation(.serial),
        "DOWNSTREAM_PEER_FINGERPRINT_1": LogOperation(.fingerprint1),
        "DOWNSTREAM_PEER_FINGERPRINT_256": LogOperation(.fingerprint256),
        "DOWNSTREAM_PEER_URI_SAN": LogOperation(.uriNames), "DOWNSTREAM_PEER_DNS_SAN": LogOperation(.dnsNames),
        "DOWNSTREAM_PEER_IP_SAN": LogOperation(.addresses), "DOWNSTREAM_PEER_CERT": LogOperation(.certificate),
        "DOWNSTREAM_PEER_CERT_V_START": LogOperation(.validFrom),
        "DOWNSTREAM_PEER_CERT_V_END": LogOperation(.validUntil),
        "DOWNSTREAM_LOCAL_SUBJECT": LogOperation(.ownSubject),
        "DOWNSTREAM_LOCAL_URI_SAN": LogOperation(.ownURINames),
        "DOWNSTREAM_LOCAL_DNS_SAN": LogOperation(.ownDNSNames),
        "GRPC_STATUS_NUMBER": LogOperation(.grpcStatus, LogGRPCStyle.number.rawValue),
    ]
    /// Operators without an argument that Weir has nothing to say for.
    private static let absent: Set<String> = [
        "CONNECTION_TERMINATION_DETAILS", "VIRTUAL_CLUSTER_NAME",
    ]
    private static let withArgument = [
        "REQ(X?Y)", "REQ_WITHOUT_QUERY(X?Y)", "RESP(X?Y)", "TRAILER(X?Y)", "START_TIME(FORMAT)", "ENVIRONMENT(X)",
        "GRPC_STATUS(CAMEL_STRING|SNAKE_STRING|NUMBER)", "DYNAMIC_METADATA(X)", "FILTER_STATE(X)", "HOSTNAME",
    ]

    /// Every operator, for messages and documentation.
    static var known: [String] { (Array(plain.keys) + Array(absent) + withArgument).sorted() }

    func piece() throws(AccessLogFormatError) -> LogPiece {
        let operation = Self.plain[name]
        if operation != nil || Self.absent.contains(name) {
            guard argument == nil else { throw fail("takes no argument") }
            try refuseLimit()
            return operation.map { .operation($0, limit: nil) } ?? .value(nil, limit: nil)
        }
        switch name {
        case "START_TIME": return try startTime()
        case "REQ":
            let (main, alternative) = try headers()
            return .request(main, alternative, limit: limit)
        case "REQ_WITHOUT_QUERY":
            let (main, alternative) = try headers()
            return .requestWithoutQuery(main, alternative, limit: limit)
        case "RESP": return try response()
        case "TRAILER":
            _ = try headers()
            return .value(nil, limit: nil)
        case "DYNAMIC_METADATA", "FILTER_STATE":
            guard argument != nil else { throw fail("needs an argument in parentheses") }
            return .value(nil, limit: nil)
        case "HOSTNAME":
            guard argument == nil else { throw fail("takes no argument") }
            try refuseLimit()
            return .value(Self.hostname(), limit: nil)
        case "ENVIRONMENT":
            guard let argument, !argument.isEmpty else { throw fail("needs a variable's name in parentheses") }
            return .value(getenv(argument).map { String(cString: $0) }, limit: limit)
        case "GRPC_STATUS": return try grpcStatus()
        default:
            throw LogFormatParser.failure(
                position, "%\(name)% is no known operator. Known are \(Self.known.joined(separator: ", "))")
        }
    }

    private func fail(_ what: String) -> AccessLogFormatError { LogFormatParser.failure(position, "%\(name)% \(what)") }

    private func refuseLimit() throws(AccessLogFormatError) {
        guard limit == nil else { throw fail("takes no length") }
    }

    private static func hostname() -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { room in
            guard gethostname(room.baseAddress!, room.count) == 0 else { return nil }
            room[room.count - 1] = 0
            return String(cString: room.baseAddress!)
        }
    }

    private func response() throws(AccessLogFormatError) -> LogPiece {
        let (main, alternative) = try headers()
        // Known from the record, so that Istio's line keeps no header of the answer.
        if main == "x-envoy-upstream-service-time", alternative.isEmpty, limit == nil {
            return .operation(LogOperation(.upstreamServiceTime), limit: nil)
        }
        if main == ":status", alternative.isEmpty { return .operation(LogOperation(.responseCode), limit: nil) }
        return .response(main, alternative, limit: limit)
    }

    /// `X` or `X?Y`, in lower case.
    private func headers() throws(AccessLogFormatError) -> (main: String, alternative: String) {
        let sides = (argument ?? "").split(separator: "?", omittingEmptySubsequences: false).map { $0.lowercased() }
        let areNames = sides.allSatisfy { side in
            let bare = side.utf8.first == ASCII.colon ? side.utf8.dropFirst() : side.utf8[...]
            return !bare.isEmpty && bare.count <= 255 && bare.allSatisfy { ASCII.tokenTable[Int($0)] != 0 }
        }
        guard areNames, sides.count <= 2 else { throw fail("needs a header's name, or two as X?Y, in parentheses") }
        return (sides[0], sides.count == 2 ? sides[1] : "")
    }

    private func grpcStatus() throws(AccessLogFormatError) -> LogPiece {
        try refuseLimit()
        let style: LogGRPCStyle =
            switch argument {
            case nil, "CAMEL_STRING": .camel
            case "SNAKE_STRING": .snake
            case "NUMBER": .number
            default: throw fail("takes CAMEL_STRING, SNAKE_STRING or NUMBER")
            }
        return .operation(LogOperation(.grpcStatus, style.rawValue), limit: nil)
    }

    // MARK: Times

    private static let timeLetters: [UInt8: [LogTimePiece]] = [
        UInt8(ascii: "Y"): [.year], UInt8(ascii: "y"): [.yearOfCentury], UInt8(ascii: "m"): [.month],
        UInt8(ascii: "d"): [.day], UInt8(ascii: "e"): [.dayPadded], UInt8(ascii: "j"): [.dayOfYear],
        UInt8(ascii: "H"): [.hour], UInt8(ascii: "I"): [.hour12], UInt8(ascii: "M"): [.minute],
        UInt8(ascii: "S"): [.second], UInt8(ascii: "p"): [.halfOfDay], UInt8(ascii: "b"): [.shortMonth],
        UInt8(ascii: "h"): [.shortMonth], UInt8(ascii: "B"): [.longMonth], UInt8(ascii: "a"): [.shortDay],
        UInt8(ascii: "A"): [.longDay], UInt8(ascii: "z"): [.zoneOffset], UInt8(ascii: "Z"): [.zoneName],
        UInt8(ascii: "s"): [.unixSeconds], UInt8(ascii: "f"): [.fraction(9)],
        UInt8(ascii: "%"): [.byte(UInt8(ascii: "%"))],
        UInt8(ascii: "T"): [.hour, .byte(ASCII.colon), .minute, .byte(ASCII.colon), .second],
        UInt8(ascii: "R"): [.hour, .byte(ASCII.colon), .minute],
        UInt8(ascii: "F"): [.year, .byte(UInt8(ascii: "-")), .month, .byte(UInt8(ascii: "-")), .day],
        UInt8(ascii: "D"): [.month, .byte(UInt8(ascii: "/")), .day, .byte(UInt8(ascii: "/")), .yearOfCentury],
    ]

    private func startTime() throws(AccessLogFormatError) -> LogPiece {
        try refuseLimit()
        guard let argument, !argument.isEmpty else { return .operation(LogOperation(.startTime), limit: nil) }
        var pieces: [LogTimePiece] = []
        var rest = Array(argument.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                guard byte >= 0x20, byte != 0x7f, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else {
                    throw fail("holds a control character, a quote or a backslash")
                }
                pieces.append(.byte(byte))
                continue
            }
            guard let letter = rest.popFirst() else { throw fail("ends with a lone '%'") }
            if letter != ASCII.zero, ASCII.isDigit(letter), rest.popFirst() == UInt8(ascii: "f") {
                pieces.append(.fraction(letter - ASCII.zero))
            } else if let known = Self.timeLetters[letter] {
                pieces += known
            } else {
                throw fail("holds '%\(Unicode.Scalar(letter))', which is no part of a time known here")
            }
        }
        return .startTime(pieces)
    }
}

/// What operators print that needs nothing but the request's record: for lines of the log and for values of headers.
extension LogSubject {
    /// A part of the request's start line, or what stands for it in other protocols; `nil` when it is not known.
    func startLine(_ code: UInt8) -> UnsafeRawBufferPointer? {
        guard let head else { return nil }
        switch LogHeader(code: code) {
        case .method: return head.methodBytes
        case .path: return UnsafeRawBufferPointer(head.target)
        case .authority: return head.authority
        case .originalPath: return head.originalTarget
        case .scheme:
            let name: StaticString = scheme == .https ? "https" : "http"
            return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        default: return nil
        }
    }
}

extension LogLine {
    /// Operators that stand in the record, whatever the line is for.
    mutating func putFact(_ step: UnsafePointer<LogStep>, _ subject: LogSubject) {
        let style = step.pointee.style
        switch step.pointee.operation.code {
        case .protocolName: putProtocol(subject)
        case .responseCode: putNumber(UInt64(subject.record.status))
        case .responseFlags: putFlags(subject)
        case .responseFlagsLong: advance(subject.record.flags.writeLong(into: end))
        case .details: putDetails(subject)
        case .transportFailure: putTransportFailure(subject, style)
        case .bytesReceived: putNumber(subject.record.requestBodyBytes)
        case .bytesSent: putNumber(subject.record.responseBodyBytes)
        case .duration: putNumber(subject.milliseconds)
        case .requestDuration: putNumber(subject.record.requestMilliseconds, style)
        case .responseDuration: putNumber(subject.record.upstreamMilliseconds, style)
        case .responseTransmission:
            let first = subject.record.upstreamMilliseconds
            putNumber(first < 0 ? -1 : max(Int64(subject.milliseconds) - first, 0), style)
        case .upstreamServiceTime: putUpstreamTime(subject, style)
        case .upstreamHost: putAddress(subject.upstream, step)
        case .upstreamCluster: putText(subject.clusterName.isEmpty ? nil : subject.clusterName, step)
        case .downstreamLocal: putAddress(subject.local, step)
        case .downstreamRemote: putAddress(subject.peer, step)
        case .downstreamDirect: putAddress(subject.direct ?? subject.peer, step)
        case .grpcStatus: putGRPC(subject.record.grpcStatus, step.pointee)
        case .requestHeadBytes: putNumber(subject.record.requestHeadBytes)
        case .responseHeadBytes: putNumber(subject.record.responseHeadBytes)
        case .connectionID: putNumber(subject.connectionID)
        case .connectionFact: putConnectionFact(subject, step)
        case .attemptCount: putNumber(subject.upstream == nil ? 0 : UInt64(subject.record.attempts))
        default: preconditionFailure("an operator that no record answers")
        }
    }

    mutating func putConnectionFact(_ subject: LogSubject, _ step: UnsafePointer<LogStep>) {
        guard let layer = subject.layer, let fact = LogConnectionFact(rawValue: step.pointee.operation.first),
            let text = layer._withUnsafeGuaranteedRef({ $0.fact(fact) })
        else { return putAbsent(step.pointee.style) }
        text.withUnsafeBytes { putText($0, step) }
    }

    // MARK: Texts

    mutating func putText(_ text: UnsafeRawBufferPointer?, _ step: UnsafePointer<LogStep>) {
        guard let text else { return putAbsent(step.pointee.style) }
        put(text, limit: Int(step.pointee.limit), step.pointee.style)
    }

    static func withoutQuery(_ target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return target }
        return UnsafeRawBufferPointer(rebasing: target[..<mark])
    }

    mutating func putProtocol(_ subject: LogSubject) {
        if subject.record.isStream { return put(UInt8(ascii: "-")) }
        // Of a request that could not be read over HTTP/1 the version is known only where that was the reason.
        let isOlder = subject.head.map { $0.version == .http10 } ?? (subject.record.details == .lowVersion)
        if isOlder {
            put("HTTP/1.0")
        } else {
            put(Self.isHTTP2(subject) ? "HTTP/2" : "HTTP/1.1")
        }
    }

    private static func isHTTP2(_ subject: LogSubject) -> Bool {
        subject.head.map { $0.version == .http2 } ?? subject.record.cameOverHTTP2
    }

    mutating func putFlags(_ subject: LogSubject) {
        if subject.record.flags.isEmpty {
            put(UInt8(ascii: "-"))
        } else {
            advance(subject.record.flags.write(into: end))
        }
    }

    mutating func putDetails(_ subject: LogSubject) {
        if subject.record.details == .viaUpstream {
            put("via_upstream")
        } else if subject.record.details == .connectFailure, subject.record.connectError != 0 {
            put("upstream_reset_before_response_started{remote_connection_failure|")
            advance(ConnectErrorText.write(subject.record.connectError, subject.failure, into: end))
            put("}")
        } else {
            let details = subject.record.details
            put(Self.isHTTP2(subject) ? details.textInHTTP2 : details.text)
        }
    }

    mutating func putTransportFailure(_ subject: LogSubject, _ style: LogStyle) {
        guard subject.record.connectError != 0 else { return putAbsent(style) }
        putQuote(style)
        advance(ConnectErrorText.write(subject.record.connectError, subject.failure, into: end))
        putQuote(style)
    }

    // MARK: Numbers

    private mutating func putNumber(_ number: Int64, _ style: LogStyle) {
        if number < 0 { putAbsent(style) } else { putNumber(UInt64(number)) }
    }

    mutating func putStartTime(_ step: LogStep, _ subject: LogSubject, _ pieces: UnsafePointer<LogTimePiece>) {
        let nanoseconds = subject.record.startedAt &+ subject.wallOffset
        let time = LogCivilTime(unixSeconds: Int(nanoseconds / 1_000_000_000))
        let first = Int(step.operation.first) | Int(step.operation.second) << 8
        for index in first..<(first + Int(step.limit)) {
            advance(pieces[index].write(time, nanoseconds: nanoseconds, into: end))
        }
    }

    /// The header `x-envoy-upstream-service-time` as it was sent: a text in JSON too.
    mutating func putUpstreamTime(_ subject: LogSubject, _ style: LogStyle) {
        let milliseconds = subject.record.upstreamMilliseconds
        guard milliseconds >= 0 else { return putAbsent(style) }
        putQuote(style)
        putNumber(UInt64(milliseconds))
        putQuote(style)
    }

    private mutating func putGRPC(_ status: Int8, _ step: LogStep) {
        guard status >= 0 else { return putAbsent(step.style) }
        let wanted = LogGRPCStyle(rawValue: step.operation.first) ?? .camel
        // A number without a name is a text where names are asked for.
        if wanted != .number { putQuote(step.style) }
        if let name = GRPCStatusName.text(status, wanted) { put(name) } else { putNumber(UInt64(status)) }
        if wanted != .number { putQuote(step.style) }
    }

    // MARK: Addresses

    @inline(__always)  // four times a line
    mutating func putAddress(_ address: LogAddress?, _ step: UnsafePointer<LogStep>) {
        guard let address else { return putAbsent(step.pointee.style) }
        if step.pointee.operation.first == LogAddressPart.whole.rawValue {
            putQuote(step.pointee.style)
            put(address.whole.start, address.whole.count)
            putQuote(step.pointee.style)
        } else {
            putPart(of: address, step.pointee)
        }
    }

    private mutating func putPart(of address: LogAddress, _ step: LogStep) {
        if step.operation.first == LogAddressPart.host.rawValue {
            putQuote(step.style)
            put(address.host.start, address.host.count)
            putQuote(step.style)
        } else if let port = address.port {
            put(port.start, port.count)
        } else {
            putAbsent(step.style)
        }
    }
}

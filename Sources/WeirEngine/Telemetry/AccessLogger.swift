import CWeir
import Glibc

/// Everything a line is made of, gathered for the moment of writing it.
///
/// Borrows all of it.
struct LogSubject {
    var record: RequestRecord
    var peer: EndpointAddress?
    var local: EndpointAddress?
    var connectionID: UInt64
    var scheme: Scheme
    /// Monotonic nanoseconds of the request's end.
    var endedAt: UInt64
    /// What the monotonic clock lacks to nanoseconds since 1970.
    var wallOffset: UInt64
    /// `nil` for a request that could not be read.
    var head: RequestHead?
    /// Where it was sent; `nil` when no endpoint was chosen.
    var upstream: EndpointAddress?
    var clusterName = UnsafeRawBufferPointer(start: nil, count: 0)

    var milliseconds: UInt64 { (endedAt - record.startedAt) / 1_000_000 }
}

/// Writes a worker's lines: the compiled format, run over each finished request, straight into the worker's ring.
///
/// Loop thread only. Nothing here allocates, waits or asks the kernel.
final class AccessLogger {
    private let shared: AccessLog
    private let format: CompiledLogFormat
    private let steps: UnsafePointer<LogStep>
    private let arena: UnsafePointer<UInt8>
    private let octets = LogOctets()
    private var producer: AccessLogProducer
    private var clock = LogClock()
    private var random: FastRandom
    /// The request head's line for each name of the format; -1 = none.
    private let found: UnsafeMutablePointer<Int32>
    /// Lines handed to the writer.
    private(set) var lines = 0
    /// Lines the ring had no room for.
    private(set) var dropped = 0

    init(_ log: AccessLog, worker: Int) {
        shared = log
        format = log.format.compiled
        steps = format.steps
        arena = format.arena
        producer = AccessLogProducer(log.rings[worker], wakeDescriptor: log.wakeDescriptor)
        var seed: UInt64 = 0
        withUnsafeMutableBytes(of: &seed) { raw in
            precondition(getrandom(raw.baseAddress!, raw.count, 0) == raw.count, "no randomness from the kernel")
        }
        random = FastRandom(seed: seed)
        found = .allocate(capacity: AccessLogLimits.requestHeaders)
        found.initialize(repeating: -1, count: AccessLogLimits.requestHeaders)
    }

    deinit { found.deallocate() }

    var wantsRouteName: Bool { format.wantsRouteName }
    var wantsUpstreamLocal: Bool { format.wantsUpstreamLocal }
    var wantsDownstreamLocal: Bool { format.wantsDownstreamLocal }
    var wantsResponseHeaders: Bool { format.responseHeaderCount > 0 }

    /// Keeps the headers of an answer that the format names.
    func capture(_ head: ResponseHead, _ capture: inout LogCapture) {
        for index in 0..<format.responseHeaderCount {
            let name = format.responseHeaders[index]
            for field in head.block.lines where !field.removed && name.matches(field) {
                capture.keep(field.valueBytes, at: 1 + index)
                break
            }
        }
    }

    /// One request is over: its line.
    func write(_ subject: LogSubject, _ capture: borrowing LogCapture) {
        guard let room = producer.room(AccessLogLimits.lineBytes + AccessLogLimits.slackBytes) else {
            dropped += 1
            return
        }
        if format.requestHeaderCount > 0, let head = subject.head { find(head) }
        var line = LogLine(room, budget: AccessLogLimits.lineBytes - format.fixedBytes)
        run(subject, capture, &line)
        line.put(arena + format.tailStart, format.tailCount)
        producer.commit(line.count)
        lines += 1
    }

    /// Looks up all header lines of the format in one pass; the first of equal ones counts, as in Envoy.
    private func find(_ head: RequestHead) {
        for index in 0..<format.requestHeaderCount { found[index] = -1 }
        let fields = head.block.fields
        for index in 0..<head.block.count where !fields[index].removed {
            let token = fields[index].token
            guard format.wantedTokens & (1 << UInt64(token.rawValue)) != 0 else { continue }
            for slot in 0..<format.requestHeaderCount where found[slot] < 0 {
                if format.requestHeaders[slot].matches(fields[index]) {
                    found[slot] = Int32(index)
                    break
                }
            }
        }
    }

    // MARK: Operators

    private func run(_ subject: LogSubject, _ capture: borrowing LogCapture, _ line: inout LogLine) {
        for index in 0..<format.stepCount {
            let step = steps[index]
            let style = step.style
            line.put(arena + Int(step.textStart), Int(step.textCount))
            switch step.operation {
            case .startTime: putStartTime(subject, style, &line)
            case .request(let main, let alternative):
                putText(requestText(main, subject) ?? requestText(alternative, subject), step, &line)
            case .protocolName: putProtocol(subject, style, &line)
            case .responseCode: line.putNumber(UInt64(subject.record.status))
            case .responseFlags: putFlags(subject, style, &line)
            case .details: putDetails(subject, style, &line)
            case .bytesReceived: line.putNumber(subject.record.requestBodyBytes)
            case .bytesSent: line.putNumber(subject.record.responseBodyBytes)
            case .duration: line.putNumber(subject.milliseconds)
            case .upstreamServiceTime: putUpstreamTime(subject, style, &line)
            case .transportFailure: putTransportFailure(subject, style, &line)
            case .upstreamHost(let part): putAddress(subject.upstream, part, style, &line)
            case .upstreamCluster: putText(subject.clusterName.isEmpty ? nil : subject.clusterName, step, &line)
            case .upstreamLocal(let part):
                putAddress(subject.record.wasConnected ? capture.upstreamLocal : nil, part, style, &line)
            case .downstreamLocal(let part): putAddress(subject.local, part, style, &line)
            case .downstreamRemote(let part): putAddress(subject.peer, part, style, &line)
            case .routeName: putText(capture.value(at: LogCapture.routeName), step, &line)
            case .absent: line.putAbsent(style)
            default: runRare(step, subject, capture, &line)
            }
        }
    }

    /// The operators that Istio's lines do not have.
    private func runRare(
        _ step: LogStep, _ subject: LogSubject, _ capture: borrowing LogCapture, _ line: inout LogLine
    ) {
        let style = step.style
        switch step.operation {
        case .startTimeFormat(let first, let count): putStartTime(subject, Int(first), Int(count), style, &line)
        case .requestWithoutQuery(let main, let alternative):
            let text = requestText(main, subject) ?? requestText(alternative, subject)
            putText(text.map(Self.withoutQuery), step, &line)
        case .response(let main, let alternative):
            let text = Self.kept(main, capture) ?? Self.kept(alternative, capture)
            putText(text, step, &line)
        case .responseFlagsLong:
            line.putQuote(style)
            line.advance(subject.record.flags.writeLong(into: line.end))
            line.putQuote(style)
        case .requestDuration: Self.putNumber(subject.record.requestMilliseconds, style, &line)
        case .responseDuration: Self.putNumber(subject.record.upstreamMilliseconds, style, &line)
        case .responseTransmission:
            let first = subject.record.upstreamMilliseconds
            Self.putNumber(first < 0 ? -1 : max(Int64(subject.milliseconds) - first, 0), style, &line)
        case .grpcStatus(let wanted): putGRPC(subject.record.grpcStatus, wanted, style, &line)
        case .requestHeadBytes: line.putNumber(subject.record.requestHeadBytes)
        case .responseHeadBytes: line.putNumber(subject.record.responseHeadBytes)
        case .connectionID: line.putNumber(subject.connectionID)
        case .uniqueID:
            line.putQuote(style)
            RequestID.write(into: line.end, random: &random)
            line.advance(RequestID.length)
            line.putQuote(style)
        case .attemptCount: line.putNumber(subject.upstream == nil ? 0 : 1)
        default: preconditionFailure("an operator nobody prints")
        }
    }

    private static func putNumber(_ number: Int64, _ style: LogStyle, _ line: inout LogLine) {
        if number < 0 { line.putAbsent(style) } else { line.putNumber(UInt64(number)) }
    }

    private func putText(_ text: UnsafeRawBufferPointer?, _ step: LogStep, _ line: inout LogLine) {
        guard let text else { return line.putAbsent(step.style) }
        line.put(text, limit: Int(step.limit), step.style)
    }
}

// MARK: - Values

extension AccessLogger {
    private func requestText(_ header: LogHeader, _ subject: LogSubject) -> UnsafeRawBufferPointer? {
        guard let head = subject.head else { return nil }
        switch header {
        case .none: return nil
        case .method: return head.methodBytes
        case .path: return UnsafeRawBufferPointer(head.target)
        case .authority: return head.authority
        case .scheme:
            let name: StaticString = subject.scheme == .https ? "https" : "http"
            return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        case .line(let slot):
            let index = found[Int(slot)]
            return index < 0 ? nil : head.block.fields[Int(index)].valueBytes
        }
    }

    private static func withoutQuery(_ target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return target }
        return UnsafeRawBufferPointer(rebasing: target[..<mark])
    }

    private static func kept(_ header: Int8, _ capture: borrowing LogCapture) -> UnsafeRawBufferPointer? {
        header < 0 ? nil : capture.value(at: 1 + Int(header))
    }

    private func putStartTime(_ subject: LogSubject, _ style: LogStyle, _ line: inout LogLine) {
        line.putQuote(style)
        clock.write(subject.record.startedAt &+ subject.wallOffset, into: line.end)
        line.advance(LogClock.length)
        line.putQuote(style)
    }

    private func putStartTime(
        _ subject: LogSubject, _ first: Int, _ count: Int, _ style: LogStyle, _ line: inout LogLine
    ) {
        let nanoseconds = subject.record.startedAt &+ subject.wallOffset
        let time = LogCivilTime(unixSeconds: Int(nanoseconds / 1_000_000_000))
        line.putQuote(style)
        for index in first..<(first + count) {
            line.advance(format.timePieces[index].write(time, nanoseconds: nanoseconds, into: line.end))
        }
        line.putQuote(style)
    }

    private func putProtocol(_ subject: LogSubject, _ style: LogStyle, _ line: inout LogLine) {
        line.putQuote(style)
        // Requests that could not be read came over the HTTP/1 codec; it names the version only where that was the reason.
        if subject.record.details == .lowVersion { line.put("HTTP/1.0") } else { line.put("HTTP/1.1") }
        line.putQuote(style)
    }

    private func putFlags(_ subject: LogSubject, _ style: LogStyle, _ line: inout LogLine) {
        line.putQuote(style)
        if subject.record.flags.isEmpty {
            line.put(UInt8(ascii: "-"))
        } else {
            line.advance(subject.record.flags.write(into: line.end))
        }
        line.putQuote(style)
    }

    private func putDetails(_ subject: LogSubject, _ style: LogStyle, _ line: inout LogLine) {
        line.putQuote(style)
        if subject.record.details == .viaUpstream {
            line.put("via_upstream")
        } else if subject.record.details == .connectFailure, subject.record.connectError != 0 {
            line.put("upstream_reset_before_response_started{remote_connection_failure|")
            line.advance(ConnectErrorText.write(subject.record.connectError, into: line.end))
            line.put("}")
        } else {
            line.put(subject.record.details.text)
        }
        line.putQuote(style)
    }

    private func putTransportFailure(_ subject: LogSubject, _ style: LogStyle, _ line: inout LogLine) {
        guard subject.record.connectError != 0 else { return line.putAbsent(style) }
        line.putQuote(style)
        line.advance(ConnectErrorText.write(subject.record.connectError, into: line.end))
        line.putQuote(style)
    }

    /// The header `x-envoy-upstream-service-time` as it was sent: a text in JSON too.
    private func putUpstreamTime(_ subject: LogSubject, _ style: LogStyle, _ line: inout LogLine) {
        let milliseconds = subject.record.upstreamMilliseconds
        guard milliseconds >= 0 else { return line.putAbsent(style) }
        line.putQuote(style)
        line.putNumber(UInt64(milliseconds))
        line.putQuote(style)
    }

    private func putGRPC(_ status: Int8, _ wanted: LogGRPCStyle, _ style: LogStyle, _ line: inout LogLine) {
        guard status >= 0 else { return line.putAbsent(style) }
        guard let name = GRPCStatusName.text(status, wanted) else {
            // A number without a name is a text where names are asked for.
            if wanted != .number { line.putQuote(style) }
            line.putNumber(UInt64(status))
            if wanted != .number { line.putQuote(style) }
            return
        }
        line.putQuote(style)
        line.put(name)
        line.putQuote(style)
    }

    private func putAddress(
        _ address: EndpointAddress?, _ part: LogAddressPart, _ style: LogStyle, _ line: inout LogLine
    ) {
        guard let address else { return line.putAbsent(style) }
        switch part {
        case .port:
            guard address.family != .unix else { return line.putAbsent(style) }
            line.putNumber(UInt64(address.port))
        case .host, .whole:
            if address.family == .unix { return line.put(address.path, limit: AccessLogLimits.fieldBytes, style) }
            line.putQuote(style)
            if let number = address.ipv4 {
                line.advance(octets.write(number, into: line.end))
                if part == .whole {
                    line.put(ASCII.colon)
                    line.putNumber(UInt64(address.port))
                }
            } else {
                line.advance(part == .whole ? address.write(into: line.end) : address.writeHost(into: line.end))
            }
            line.putQuote(style)
        }
    }
}

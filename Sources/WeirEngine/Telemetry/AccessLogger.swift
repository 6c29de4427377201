import CWeir
import Glibc

/// Everything a line is made of, gathered for the moment of writing it.
///
/// Borrows all of it.
struct LogSubject {
    var record: RequestRecord
    var peer: LogAddress?
    var local: LogAddress?
    var connectionID: UInt64
    var scheme: Scheme
    /// Monotonic nanoseconds of the request's end.
    var endedAt: UInt64
    /// What the monotonic clock lacks to nanoseconds since 1970.
    var wallOffset: UInt64
    /// `nil` for a request that could not be read.
    var head: RequestHead?
    /// Where it was sent; `nil` when no endpoint was chosen.
    var upstream: LogAddress?
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
    var wantsDownstreamRemote: Bool { format.wantsDownstreamRemote }
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
        for place in 0..<format.requestHeaderCount { found[place] = -1 }
        let fields = head.block.fields
        for index in 0..<head.block.count {
            let place = format.places[Int(fields[index].token.rawValue)]
            guard place != CompiledLogFormat.noPlace, !fields[index].removed else { continue }
            if place == CompiledLogFormat.byName {
                findByName(fields[index], index)
            } else if found[Int(place)] < 0 {
                found[Int(place)] = Int32(truncatingIfNeeded: index)
            }
        }
    }

    private func findByName(_ field: HeaderField, _ index: Int) {
        for place in 0..<format.requestHeaderCount where found[place] < 0 {
            guard format.requestHeaders[place].matches(field) else { continue }
            found[place] = Int32(truncatingIfNeeded: index)
            return
        }
    }

    // MARK: Operators

    private func run(_ subject: LogSubject, _ capture: borrowing LogCapture, _ line: inout LogLine) {
        var step = steps
        let end = steps + format.stepCount
        while step < end {
            line.put(arena + Int(step.pointee.textStart), Int(step.pointee.textCount))
            switch step.pointee.operation.code {
            case .startTime:
                clock.write(subject.record.startedAt &+ subject.wallOffset, into: line.end)
                line.advance(LogClock.length)
            case .request:
                let first = requestText(step.pointee.operation.first, subject)
                putText(first ?? requestText(step.pointee.operation.second, subject), step, &line)
            case .protocolName: putProtocol(subject, &line)
            case .responseCode: line.putNumber(UInt64(subject.record.status))
            case .responseFlags: putFlags(subject, &line)
            case .details: putDetails(subject, &line)
            case .bytesReceived: line.putNumber(subject.record.requestBodyBytes)
            case .bytesSent: line.putNumber(subject.record.responseBodyBytes)
            case .duration: line.putNumber(subject.milliseconds)
            case .upstreamServiceTime: putUpstreamTime(subject, step.pointee.style, &line)
            case .transportFailure: putTransportFailure(subject, step.pointee.style, &line)
            case .upstreamHost: Self.putAddress(subject.upstream, step, &line)
            case .upstreamCluster: putText(subject.clusterName.isEmpty ? nil : subject.clusterName, step, &line)
            case .upstreamLocal:
                Self.putAddress(subject.record.wasConnected ? capture.upstreamLocal : nil, step, &line)
            case .downstreamLocal: Self.putAddress(subject.local, step, &line)
            case .downstreamRemote: Self.putAddress(subject.peer, step, &line)
            case .routeName: putText(capture.value(at: LogCapture.routeName), step, &line)
            default: runRare(step, subject, capture, &line)
            }
            step += 1
        }
    }

    /// The operators that Istio's lines do not have.
    private func runRare(
        _ step: UnsafePointer<LogStep>, _ subject: LogSubject, _ capture: borrowing LogCapture, _ line: inout LogLine
    ) {
        let style = step.pointee.style
        let operation = step.pointee.operation
        switch operation.code {
        case .startTimeFormat: putStartTime(step.pointee, subject, &line)
        case .requestWithoutQuery:
            let text = requestText(operation.first, subject) ?? requestText(operation.second, subject)
            putText(text.map(Self.withoutQuery), step, &line)
        case .response:
            putText(Self.kept(operation.first, capture) ?? Self.kept(operation.second, capture), step, &line)
        case .responseFlagsLong: line.advance(subject.record.flags.writeLong(into: line.end))
        case .requestDuration: Self.putNumber(subject.record.requestMilliseconds, style, &line)
        case .responseDuration: Self.putNumber(subject.record.upstreamMilliseconds, style, &line)
        case .responseTransmission:
            let first = subject.record.upstreamMilliseconds
            Self.putNumber(first < 0 ? -1 : max(Int64(subject.milliseconds) - first, 0), style, &line)
        case .grpcStatus: putGRPC(subject.record.grpcStatus, step.pointee, &line)
        case .requestHeadBytes: line.putNumber(subject.record.requestHeadBytes)
        case .responseHeadBytes: line.putNumber(subject.record.responseHeadBytes)
        case .connectionID: line.putNumber(subject.connectionID)
        case .uniqueID:
            RequestID.write(into: line.end, random: &random)
            line.advance(RequestID.length)
        case .attemptCount: line.putNumber(subject.upstream == nil ? 0 : 1)
        default: preconditionFailure("an operator nobody prints")
        }
    }

    private static func putNumber(_ number: Int64, _ style: LogStyle, _ line: inout LogLine) {
        if number < 0 { line.putAbsent(style) } else { line.putNumber(UInt64(number)) }
    }

    private func putText(_ text: UnsafeRawBufferPointer?, _ step: UnsafePointer<LogStep>, _ line: inout LogLine) {
        guard let text else { return line.putAbsent(step.pointee.style) }
        line.put(text, limit: Int(step.pointee.limit), step.pointee.style)
    }
}

// MARK: - Values

extension AccessLogger {
    private func requestText(_ code: UInt8, _ subject: LogSubject) -> UnsafeRawBufferPointer? {
        guard let head = subject.head else { return nil }
        guard code < LogHeader.firstLine else {
            let index = found[Int(code - LogHeader.firstLine)]
            return index < 0 ? nil : head.block.fields[Int(index)].valueBytes
        }
        switch LogHeader(code: code) {
        case .method: return head.methodBytes
        case .path: return UnsafeRawBufferPointer(head.target)
        case .authority: return head.authority
        case .scheme:
            let name: StaticString = subject.scheme == .https ? "https" : "http"
            return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        default: return nil
        }
    }

    private static func withoutQuery(_ target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return target }
        return UnsafeRawBufferPointer(rebasing: target[..<mark])
    }

    private static func kept(_ header: UInt8, _ capture: borrowing LogCapture) -> UnsafeRawBufferPointer? {
        header == 0 ? nil : capture.value(at: LogCapture.routeName + Int(header))
    }

    private func putStartTime(_ step: LogStep, _ subject: LogSubject, _ line: inout LogLine) {
        let nanoseconds = subject.record.startedAt &+ subject.wallOffset
        let time = LogCivilTime(unixSeconds: Int(nanoseconds / 1_000_000_000))
        let first = Int(step.operation.first) | Int(step.operation.second) << 8
        for index in first..<(first + Int(step.limit)) {
            line.advance(format.timePieces[index].write(time, nanoseconds: nanoseconds, into: line.end))
        }
    }

    private func putProtocol(_ subject: LogSubject, _ line: inout LogLine) {
        // A request that could not be read came over the HTTP/1 codec; its version is known only where that was the reason.
        let isOlder = subject.head.map { $0.minorVersion == 0 } ?? (subject.record.details == .lowVersion)
        if isOlder { line.put("HTTP/1.0") } else { line.put("HTTP/1.1") }
    }

    private func putFlags(_ subject: LogSubject, _ line: inout LogLine) {
        if subject.record.flags.isEmpty {
            line.put(UInt8(ascii: "-"))
        } else {
            line.advance(subject.record.flags.write(into: line.end))
        }
    }

    private func putDetails(_ subject: LogSubject, _ line: inout LogLine) {
        if subject.record.details == .viaUpstream {
            line.put("via_upstream")
        } else if subject.record.details == .connectFailure, subject.record.connectError != 0 {
            line.put("upstream_reset_before_response_started{remote_connection_failure|")
            line.advance(ConnectErrorText.write(subject.record.connectError, into: line.end))
            line.put("}")
        } else {
            line.put(subject.record.details.text)
        }
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

    private func putGRPC(_ status: Int8, _ step: LogStep, _ line: inout LogLine) {
        guard status >= 0 else { return line.putAbsent(step.style) }
        let wanted = LogGRPCStyle(rawValue: step.operation.first) ?? .camel
        // A number without a name is a text where names are asked for.
        if wanted != .number { line.putQuote(step.style) }
        if let name = GRPCStatusName.text(status, wanted) { line.put(name) } else { line.putNumber(UInt64(status)) }
        if wanted != .number { line.putQuote(step.style) }
    }

    @inline(__always)  // four times a line
    private static func putAddress(_ address: LogAddress?, _ step: UnsafePointer<LogStep>, _ line: inout LogLine) {
        guard let address else { return line.putAbsent(step.pointee.style) }
        if step.pointee.operation.first == LogAddressPart.whole.rawValue {
            line.putQuote(step.pointee.style)
            line.put(address.whole.start, address.whole.count)
            line.putQuote(step.pointee.style)
        } else {
            putPart(of: address, step.pointee, &line)
        }
    }

    private static func putPart(of address: LogAddress, _ step: LogStep, _ line: inout LogLine) {
        if step.operation.first == LogAddressPart.host.rawValue {
            line.putQuote(step.style)
            line.put(address.host.start, address.host.count)
            line.putQuote(step.style)
        } else if let port = address.port {
            line.put(port.start, port.count)
        } else {
            line.putAbsent(step.style)
        }
    }
}

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
    /// What tells of the connection's TLS.
    var layer: Unmanaged<TransportLayer>?
    /// The other end of the socket, where that is not the client.
    var direct: LogAddress?
    /// Monotonic nanoseconds of the request's end.
    var endedAt: UInt64
    /// What the monotonic clock lacks to nanoseconds since 1970.
    var wallOffset: UInt64
    /// `nil` for a request that could not be read.
    var head: RequestHead?
    /// Where it was sent; `nil` when no endpoint was chosen.
    var upstream: LogAddress?
    var clusterName = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Why TLS to the endpoint failed, where it did.
    var failure = UnsafeRawBufferPointer(start: nil, count: 0)

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
    var wantsDownstreamDirect: Bool { format.wantsDownstreamDirect }
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
                line.putText(first ?? requestText(step.pointee.operation.second, subject), step)
            case .protocolName: line.putProtocol(subject)
            case .responseCode: line.putNumber(UInt64(subject.record.status))
            case .responseFlags: line.putFlags(subject)
            case .details: line.putDetails(subject)
            case .bytesReceived: line.putNumber(subject.record.requestBodyBytes)
            case .bytesSent: line.putNumber(subject.record.responseBodyBytes)
            case .duration: line.putNumber(subject.milliseconds)
            case .upstreamServiceTime: line.putUpstreamTime(subject, step.pointee.style)
            case .transportFailure: line.putTransportFailure(subject, step.pointee.style)
            case .upstreamHost: line.putAddress(subject.upstream, step)
            case .upstreamCluster: line.putText(subject.clusterName.isEmpty ? nil : subject.clusterName, step)
            case .upstreamLocal: line.putAddress(subject.record.wasConnected ? capture.upstreamLocal : nil, step)
            case .downstreamLocal: line.putAddress(subject.local, step)
            case .downstreamRemote: line.putAddress(subject.peer, step)
            case .routeName: line.putText(capture.value(at: LogCapture.routeName), step)
            case .connectionFact: line.putConnectionFact(subject, step)
            default: runRare(step, subject, capture, &line)
            }
            step += 1
        }
    }

    /// The operators that Istio's lines do not have.
    private func runRare(
        _ step: UnsafePointer<LogStep>, _ subject: LogSubject, _ capture: borrowing LogCapture, _ line: inout LogLine
    ) {
        let operation = step.pointee.operation
        switch operation.code {
        case .startTimeFormat: line.putStartTime(step.pointee, subject, format.timePieces)
        case .requestWithoutQuery:
            let text = requestText(operation.first, subject) ?? requestText(operation.second, subject)
            line.putText(text.map(LogLine.withoutQuery), step)
        case .response:
            line.putText(Self.kept(operation.first, capture) ?? Self.kept(operation.second, capture), step)
        case .uniqueID:
            RequestID.write(into: line.end, random: &random)
            line.advance(RequestID.length)
        default: line.putFact(step, subject)
        }
    }
}

// MARK: - Values

extension AccessLogger {
    private func requestText(_ code: UInt8, _ subject: LogSubject) -> UnsafeRawBufferPointer? {
        guard code >= LogHeader.firstLine else { return subject.startLine(code) }
        guard let head = subject.head else { return nil }
        let index = found[Int(code - LogHeader.firstLine)]
        return index < 0 ? nil : head.block.fields[Int(index)].valueBytes
    }

    private static func kept(_ header: UInt8, _ capture: borrowing LogCapture) -> UnsafeRawBufferPointer? {
        header == 0 ? nil : capture.value(at: LogCapture.routeName + Int(header))
    }
}

import Glibc

/// What the values of header operations may tell of: a request, and maybe its answer, at one moment.
///
/// Borrows all of it.
struct HeaderValueSource {
    var subject: LogSubject
    /// The answer's lines, where there is one.
    var answer: UnsafeBufferPointer<HeaderField>?
    /// Our end of the upstream connection.
    var upstreamLocal: LogAddress?

    /// Nothing has been answered yet: there are no details to tell.
    var isRequest: Bool { answer == nil }
}

/// Makes the values of header operations that hold operators: all of one message at a time, in memory of its own.
///
/// One a worker; loop thread only.
final class HeaderValues {
    /// Values of one message together; longer ones make the message too large.
    static let roomBytes = 64 * 1024

    private let room: UnsafeMutablePointer<UInt8>
    /// Where each value lies, by its place among the operations.
    private let spans: UnsafeMutablePointer<UnsafeRawBufferPointer>
    private var clock = LogClock()

    init() {
        room = .allocate(capacity: Self.roomBytes + AccessLogLimits.slackBytes)
        spans = .allocate(capacity: HeaderBlock.maxEdits)
    }

    deinit {
        room.deallocate()
        spans.deallocate()
    }

    /// Room for a text of any kind, until the next call of a method.
    var scratch: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: room, count: Self.roomBytes) }

    /// The value of an operation after `read`; valid until the next.
    func value(at index: Int) -> UnsafeRawBufferPointer { spans[index] }

    /// Makes all values; `false` when they are too long together.
    func read(_ plan: HeaderEditPlan, _ source: HeaderValueSource, random: inout FastRandom) -> Bool {
        var used = 0
        for index in 0..<plan.lineCount {
            guard let program = plan.lines[index].program else { continue }
            let length = program._withUnsafeGuaranteedRef { run($0, source, at: used, &random) }
            guard let length else { return false }
            (spans + index).initialize(to: UnsafeRawBufferPointer(start: room + used, count: length))
            used += length
        }
        return true
    }

    /// Writes one value; `nil` when there is not enough room.
    private func run(
        _ format: CompiledLogFormat, _ source: HeaderValueSource, at used: Int, _ random: inout FastRandom
    ) -> Int? {
        let budget = Self.roomBytes - used - format.fixedBytes
        guard budget >= 0 else { return nil }
        var line = LogLine(room + used, budget: budget)
        for index in 0..<format.stepCount {
            let step = format.steps + index
            line.put(format.arena + Int(step.pointee.textStart), Int(step.pointee.textCount))
            put(step, format, source, &line, &random)
        }
        line.put(format.arena + format.tailStart, format.tailCount)
        return line.isVoid ? nil : line.count
    }

    private func put(
        _ step: UnsafePointer<LogStep>, _ format: CompiledLogFormat, _ source: HeaderValueSource,
        _ line: inout LogLine, _ random: inout FastRandom
    ) {
        let subject = source.subject
        let operation = step.pointee.operation
        switch operation.code {
        case .request, .requestWithoutQuery:
            let text = Self.text(operation.first, format, subject) ?? Self.text(operation.second, format, subject)
            line.putText(operation.code == .request ? text : text.map(LogLine.withoutQuery), step)
        case .response:
            let text =
                Self.answerText(operation.first, format, source) ?? Self.answerText(operation.second, format, source)
            line.putText(text, step)
        case .details where source.isRequest: break
        case .startTime:
            clock.write(subject.record.startedAt &+ subject.wallOffset, into: line.end)
            line.advance(LogClock.length)
        case .startTimeFormat: line.putStartTime(step.pointee, subject, format.timePieces)
        case .upstreamLocal: line.putAddress(source.upstreamLocal, step)
        case .uniqueID:
            RequestID.write(into: line.end, random: &random)
            line.advance(RequestID.length)
        default: line.putFact(step, subject)
        }
    }

    private static func text(
        _ code: UInt8, _ format: CompiledLogFormat, _ subject: LogSubject
    ) -> UnsafeRawBufferPointer? {
        guard code >= LogHeader.firstLine else { return subject.startLine(code) }
        guard let head = subject.head else { return nil }
        return line(format.requestHeaders[Int(code - LogHeader.firstLine)], in: head.block.lines)
    }

    /// Places are counted from 1; 0 = none.
    private static func answerText(
        _ place: UInt8, _ format: CompiledLogFormat, _ source: HeaderValueSource
    ) -> UnsafeRawBufferPointer? {
        guard place > 0, let lines = source.answer else { return nil }
        return line(format.responseHeaders[Int(place) - 1], in: lines)
    }

    private static func line(
        _ name: LogHeaderName, in lines: UnsafeBufferPointer<HeaderField>
    ) -> UnsafeRawBufferPointer? {
        for field in lines where !field.removed && name.matches(field) { return field.valueBytes }
        return nil
    }
}

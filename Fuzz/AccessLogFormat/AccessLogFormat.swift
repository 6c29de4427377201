import Glibc

@testable import WeirEngine

/// Whatever is given as a format is refused or makes lines: one each, bounded, without a control byte a peer has sent.
///
/// The input is a format up to a NUL, then the value of a header; every operator reads that header's neighbours.
@c(LLVMFuzzerTestOneInput)
public func fuzzAccessLogFormat(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    let text = input.rest.prefix { $0 != 0 }
    let value = input.rest.dropFirst(text.count + 1).filter { ASCII.isFieldValue($0) }
    let format: AccessLogFormat
    do {
        format = try AccessLogFormat(String(decoding: text, as: UTF8.self))
    } catch {
        require(!"\(error)".isEmpty, "refused without a word")
        return 0
    }
    guard let log = try? AccessLog(format: format, workers: 1) else { return 0 }
    let logger = AccessLogger(log, worker: 0)
    let request = ExactBytes(Array("GET /\"?\\ HTTP/1.1\r\nHost: h\r\nX: ".utf8) + value + Array("\r\n\r\n".utf8))
    let head = RequestHead()
    defer { head.free() }
    var parser = H1Parser()
    _ = parser.parseRequest(request.start, count: request.count, into: head)
    var record = RequestRecord()
    record.status = 503
    record.flags = ResponseFlags(rawValue: UInt32(input.choice()))
    record.connectError = Int32(input.choice())
    var subject = LogSubject(
        record: record, peer: nil, local: nil, connectionID: .max, scheme: .http, endedAt: .max, wallOffset: 0,
        head: head)
    let name = Array(value)
    name.withUnsafeBytes {
        subject.clusterName = $0
        var capture = LogCapture()
        for place in 0...AccessLogLimits.responseHeaders { capture.keep($0, at: place) }
        logger.write(subject, capture)
    }
    let line = log.rings[0].waiting
    require(logger.lines == 1 && line.count <= AccessLogLimits.lineBytes, "\(line.count) bytes")
    require(line.last == ASCII.lineFeed, "a line without an end")
    let controls = line.dropLast().count { $0 < 0x20 || $0 == 0x7f }
    require(controls <= text.count { $0 < 0x20 || $0 == 0x7f }, "a control byte from a value")
    return 0
}

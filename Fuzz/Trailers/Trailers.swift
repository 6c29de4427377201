@testable import WeirEngine

private let isTokenByte: [Bool] = {
    let bytes = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    return (0...255).map { bytes.contains($0) }
}()

private func isValueByte(_ byte: UInt8) -> Bool { byte == 0x09 || byte >= 0x20 && byte != 0x7f }

private enum Verdict: Equatable {
    case ended(Int)
    case incomplete
    case refused
}

/// The rule itself (RFC 9112 section 7.1.2, RFC 9110 section 5), line by line: `1*token ":" *value CRLF`, then CRLF.
private func expected(_ section: [UInt8]) -> Verdict {
    var rest = section[...]
    var lines = 0
    var bytes = 0
    while !rest.isEmpty {
        let line = rest.prefix { $0 != 0x0d }
        let isOpen = line.count == rest.count
        // All but the line feeds count.
        bytes += line.count + (isOpen ? 0 : 1)
        if bytes > H1BodyDecoder.maxTrailerBytes { return .refused }
        let name = line.prefix { $0 != 0x3a }
        if !line.isEmpty {
            lines += 1
            if lines > H1BodyDecoder.maxTrailerLines || name.isEmpty { return .refused }
            if !name.allSatisfy({ isTokenByte[Int($0)] }) { return .refused }
            if name.count == line.count, !isOpen { return .refused }
            if !line.dropFirst(name.count + 1).allSatisfy(isValueByte) { return .refused }
        }
        if isOpen { return .incomplete }
        rest = rest.dropFirst(line.count + 1)
        guard let feed = rest.popFirst() else { return .incomplete }
        if feed != 0x0a { return .refused }
        if line.isEmpty { return .ended(section.count - rest.count) }
    }
    return .incomplete
}

/// Trailers end, are refused or go on as the rule says, however they are cut, and never become part of the body.
///
/// The first bytes choose the cuts, and how many lines (from 129 on) of which length come before the input's own, so
/// that the bounds are within reach.
@c(LLVMFuzzerTestOneInput)
public func fuzzTrailers(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    let cuts = FuzzCuts(input.choice())
    let fillLines = max(0, Int(input.choice()) - 128)
    let fillLength = Int(input.choice())
    let fill = [UInt8]("f:".utf8) + [UInt8](repeating: 0x20, count: fillLength) + [0x0d, 0x0a]
    let section = Array(repeatElement(fill, count: fillLines).joined()) + input.rest
    let before = [UInt8]("3\r\nabc\r\n0;last\r\n".utf8)

    let whole = BodyOutcome(decoding: (before + section)[...], .chunked, .none)
    let pieces = BodyOutcome(decoding: (before + section)[...], .chunked, cuts)
    require(whole == pieces, "whole: \(whole), in pieces: \(pieces)")

    let verdict: Verdict =
        whole.failed ? .refused : whole.finished ? .ended(whole.consumed - before.count) : .incomplete
    let wanted = expected(section)
    require(verdict == wanted, "\(verdict), not \(wanted)")
    require(whole.failed || whole.body == Array("abc".utf8), "another body: \(whole.body)")
    require(whole.failed || whole.finished || whole.consumed == before.count + section.count, "bytes left over")
    return 0
}

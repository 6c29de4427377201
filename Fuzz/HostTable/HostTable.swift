import Glibc

@testable import WeirEngine

private func lowered(_ bytes: some Sequence<UInt8>) -> [UInt8] { bytes.map { ASCII.lowered($0) } }

/// The rule itself, by looking at every pattern: exact name, else the longest suffix, else the star.
private func expected(_ patterns: [String], _ authority: [UInt8]) -> Int32 {
    let star = patterns.firstIndex(of: "*") ?? -1
    var host = lowered(authority)
    let bracket = host.lastIndex(of: ASCII.closeBracket) ?? -1
    if let colon = host.lastIndex(of: ASCII.colon), colon > bracket { host.removeSubrange(colon...) }
    guard !host.isEmpty, host.count <= HostTable.maxHostBytes else { return Int32(star) }
    var best = (length: 0, number: star)
    for (number, pattern) in patterns.enumerated() where pattern != "*" {
        let key = lowered(pattern.utf8)
        if key.starts(with: "*.".utf8) {
            let suffix = key.dropFirst()
            guard host.count > suffix.count, host.suffix(suffix.count).elementsEqual(suffix) else { continue }
            if suffix.count > best.length { best = (suffix.count, number) }
        } else if key == host {
            return Int32(number)
        }
    }
    return Int32(best.number)
}

/// The table finds what the rule says: lines are patterns up to an empty one, and authorities behind it.
@c(LLVMFuzzerTestOneInput)
public func fuzzHostTable(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(bytes, count)
    var patterns: [String] = []
    while !input.rest.isEmpty {
        let line = input.line()
        if line.isEmpty { break }
        patterns.append(String(decoding: line, as: UTF8.self))
    }
    let table = HostTable(patterns)
    for _ in 0..<64 where !input.rest.isEmpty {
        let authority = input.line()
        let exact = ExactBytes(authority)
        let found = table.lookup(UnsafeRawBufferPointer(start: exact.start, count: exact.count))
        let wanted = expected(patterns, authority)
        require(found == wanted, "\(String(decoding: authority, as: UTF8.self)): \(found), not \(wanted)")
    }
    return 0
}

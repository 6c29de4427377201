@testable import WeirEngine

/// The path and the target that remain; `nil` for one that is refused.
private func normalised(_ target: [UInt8]) -> (path: [UInt8], target: [UInt8])? {
    let room = ExactBytes(target)
    guard let (path, whole) = PathNormalization.apply(room.start, count: room.count) else { return nil }
    require(path <= whole && whole <= target.count, "\(target.count) bytes became \(path) and \(whole)")
    return (room.bytes(path), room.bytes(whole))
}

/// A path gets no longer, is in its final form after one go, and never leaves its root.
@c(LLVMFuzzerTestOneInput)
public func fuzzPathNormalization(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let target = [ASCII.slash] + FuzzInput(bytes, count).rest
    guard let first = normalised(target) else { return 0 }
    require(first.path.first == ASCII.slash, "no path: \(first.path)")
    require(first.target.starts(with: first.path), "the path is not the target's beginning")
    require(!first.path.contains(ASCII.backslash), "a backslash stayed")
    let segments = first.path.split(separator: ASCII.slash, omittingEmptySubsequences: false)
    let isDots = segments.contains { !$0.isEmpty && $0.count <= 2 && $0.allSatisfy { $0 == ASCII.dot } }
    require(!isDots, "a dot segment stayed")
    // What stands behind the path is as it was, less the fragment.
    let whole = target.prefix { $0 != ASCII.hash }
    let query = whole.drop { $0 != ASCII.question }
    require(first.target.dropFirst(first.path.count).elementsEqual(query), "the query was touched")

    guard let second = normalised(first.target) else {
        require(false, "refused the second time: \(String(decoding: first.target, as: UTF8.self))")
        return 0
    }
    require(second == first, "changed the second time: \(String(decoding: first.path, as: UTF8.self))")
    return 0
}

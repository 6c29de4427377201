import Testing

@testable import WeirEngine

@Suite struct H2FrameScannerTests {
    /// A preface of three bytes and frames of 5, 0 and 70,000 bytes.
    private static let bytes: [UInt8] =
        [1, 2, 3]
        + [0, 0, 5, 1, 4, 0x80, 0, 1, 2, 9, 9, 9, 9, 9]
        + [0, 0, 0, 4, 0, 0, 0, 0, 0]
        + [1, 0x11, 0x70, 0, 1, 0x7f, 0xff, 0xff, 0xff] + [UInt8](repeating: 7, count: 70_000)

    /// What is found when the bytes come in pieces of this size, each with the place behind its header.
    private func scan(_ piece: Int) -> [[Int]] {
        var scanner = H2FrameScanner(preface: 3)
        var found: [[Int]] = []
        var start = 0
        while start < Self.bytes.count {
            let count = min(piece, Self.bytes.count - start)
            Self.bytes[start..<(start + count)].withUnsafeBufferPointer { bytes in
                var at = 0
                while let frame = scanner.next(bytes.baseAddress!, count: count, at: &at) {
                    found.append([frame.length, Int(frame.type), Int(frame.stream), start + at])
                }
            }
            start += count
        }
        return found
    }

    @Test(arguments: [1, 2, 7, 9, 10, 100, 100_000])
    func headersAreFoundHoweverTheBytesCome(_ piece: Int) {
        #expect(
            scan(piece) == [[5, 1, 258, 12], [0, 4, 0, 26], [70_000, 0, 0x7fff_ffff, 35]])
    }
}

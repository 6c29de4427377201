import Testing

@testable import WeirEngine

@Suite("Request ids")
struct RequestIDTests {
    @Test("Ids are UUIDs of version 4 and do not repeat")
    func shape() {
        var random = FastRandom(seed: 1)
        var seen = Set<String>()
        for _ in 0..<1000 {
            let id = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: RequestID.length) { room in
                RequestID.write(into: room.baseAddress!, random: &random)
                return String(decoding: room, as: UTF8.self)
            }
            let bytes = Array(id.utf8)
            for (index, byte) in bytes.enumerated() {
                switch index {
                case 8, 13, 18, 23: #expect(byte == UInt8(ascii: "-"))
                case 14: #expect(byte == UInt8(ascii: "4"))
                case 19: #expect("89ab".utf8.contains(byte))
                default: #expect("0123456789abcdef".utf8.contains(byte))
                }
            }
            seen.insert(id)
        }
        #expect(seen.count == 1000)
    }
}

import Testing

@testable import WeirEngine

@Suite struct XXHash64Tests {
    @Test(
        arguments: [
            ("", 0, 0xef46_db37_51d8_e999), ("a", 0, 0xd24e_c4f1_a98c_6e5b), ("abc", 0, 0x44bc_2cf5_ad77_0999),
            ("Nobody inspects the spammish repetition", 0, 0xfbce_a83c_8a37_8bf1),
            ("xxhash", 20_141_025, 0xb559_b98d_844e_0635), ("", 1, 0xd5af_ba13_36a3_be4b),
            ("0123456789abcdef0123456789abcdef", 0, 0x642a_9495_8e71_e6c5),
        ] as [(String, UInt64, UInt64)])
    func knownValues(_ text: String, _ seed: UInt64, _ hash: UInt64) {
        #expect(text.withBytes { XXHash64.hash($0, seed: seed) } == hash)
    }

    @Test func everyByteCountsAtEveryLength() {
        for length in 1..<100 {
            var bytes = [UInt8](repeating: 7, count: length)
            var seen: Set<UInt64> = [bytes.withUnsafeBytes { XXHash64.hash($0) }]
            for index in 0..<length {
                bytes[index] = 8
                seen.insert(bytes.withUnsafeBytes { XXHash64.hash($0) })
                bytes[index] = 7
            }
            #expect(seen.count == length + 1)
        }
    }
}

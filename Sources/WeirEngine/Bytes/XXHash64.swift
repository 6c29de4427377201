/// XXH64, the 64-bit hash Istio's gateway places endpoints and keys with.
///
/// Fast and well mixed; no defence against somebody who chooses the input.
enum XXHash64 {
    private static let prime1: UInt64 = 0x9e37_79b1_85eb_ca87
    private static let prime2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
    private static let prime3: UInt64 = 0x1656_67b1_9e37_79f9
    private static let prime4: UInt64 = 0x85eb_ca77_c2b2_ae63
    private static let prime5: UInt64 = 0x27d4_eb2f_1656_67c5

    // All arithmetic wraps: that is the algorithm.

    static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        let count = bytes.count
        var state = seed &+ prime5
        var offset = 0
        if count >= 32, let start = bytes.baseAddress {
            state = stripes(start, count / 32, seed)
            offset = count & ~31
        }
        state &+= UInt64(count)
        while offset + 8 <= count {
            state ^= round(0, UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            state = rotated(state, 27) &* prime1 &+ prime4
            offset += 8
        }
        if offset + 4 <= count {
            let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            state ^= UInt64(word) &* prime1
            state = rotated(state, 23) &* prime2 &+ prime3
            offset += 4
        }
        while offset < count {
            state ^= UInt64(bytes[offset]) &* prime5
            state = rotated(state, 11) &* prime1
            offset += 1
        }
        return finished(state)
    }

    /// Four lanes over blocks of 32 bytes, joined.
    private static func stripes(_ start: UnsafeRawPointer, _ count: Int, _ seed: UInt64) -> UInt64 {
        var lanes = SIMD4<UInt64>(seed &+ prime1 &+ prime2, seed &+ prime2, seed, seed &- prime1)
        var block = start
        for _ in 0..<count {
            for lane in 0..<4 {
                let word = block.loadUnaligned(fromByteOffset: lane * 8, as: UInt64.self)
                lanes[lane] = round(lanes[lane], UInt64(littleEndian: word))
            }
            block += 32
        }
        var state =
            rotated(lanes[0], 1) &+ rotated(lanes[1], 7) &+ rotated(lanes[2], 12) &+ rotated(lanes[3], 18)
        for lane in 0..<4 { state = (state ^ round(0, lanes[lane])) &* prime1 &+ prime4 }
        return state
    }

    private static func round(_ state: UInt64, _ word: UInt64) -> UInt64 {
        rotated(state &+ word &* prime2, 31) &* prime1
    }

    private static func finished(_ state: UInt64) -> UInt64 {
        var state = state
        state = (state ^ state &>> 33) &* prime2
        state = (state ^ state &>> 29) &* prime3
        return state ^ state &>> 32
    }

    private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 { value &<< bits | value &>> (64 &- bits) }
}

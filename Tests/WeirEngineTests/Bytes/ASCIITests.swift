import Testing

@testable import WeirEngine

@Suite("ASCII tables and numbers")
struct ASCIITests {
    @Test("The tables agree with the grammars")
    func tables() {
        let alphanumeric = Set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max {
            let index = Int(byte)
            let isToken = alphanumeric.contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            #expect(ASCII.tokenTable[index] == (isToken ? ASCII.lowered(byte) : 0))
            let isHost = alphanumeric.contains(byte) || "-._~!$&'()*+;=".utf8.contains(byte)
            #expect((ASCII.hostTable[index] != 0) == isHost)
            #expect((ASCII.targetTable[index] == ASCII.targetEnd) == (byte <= 0x20 || byte >= 0x7f))
            #expect((ASCII.targetTable[index] == ASCII.targetLook) == "#%.\\".utf8.contains(byte))
            #expect((ASCII.targetTable[index] == ASCII.targetQuery) == (byte == UInt8(ascii: "?")))
            #expect(ASCII.isFieldValue(byte) == (byte == 9 || byte >= 0x20 && byte != 0x7f))
            #expect(ASCII.isUnreserved(byte) == (alphanumeric.contains(byte) || "-._~".utf8.contains(byte)))
            let digit = Int(String(UnicodeScalar(byte)), radix: 16)
            #expect(ASCII.hexValue(byte).map(Int.init) == (byte < 0x80 ? digit : nil))
        }
    }

    @Test("The end of a field value is found wherever it lies, for every byte")
    func endOfFieldValue() {
        let room = UnsafeMutablePointer<UInt8>.allocate(capacity: 40)
        defer { room.deallocate() }
        for byte in UInt8.min...UInt8.max {
            for position in 0..<20 {
                room.update(repeating: position % 3 == 0 ? 0xff : 0x20, count: 40)
                room[position] = byte
                // A second hit behind the first must not be taken for it.
                room[position + 3] = 0
                let expected = ASCII.isFieldValue(byte) ? position + 3 : position
                #expect(ASCII.endOfFieldValue(room, room + 40) - UnsafePointer(room) == expected)
                let short = ASCII.endOfFieldValue(room, room + position + 1) - UnsafePointer(room)
                #expect(short == (ASCII.isFieldValue(byte) ? position + 1 : position))
            }
        }
    }

    @Test(
        "Numbers are written as they are read",
        arguments: [0, 1, 9, 10, 15, 16, 99, 100, 4096, UInt64(Int64.max), .max])
    func numbers(value: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ASCII.decimalBound) { room in
            let decimal = ASCII.writeDecimal(value, into: room.baseAddress!)
            #expect(String(decoding: room[..<decimal], as: UTF8.self) == String(value))
            let hex = ASCII.writeHex(value, into: room.baseAddress!)
            #expect(String(decoding: room[..<hex], as: UTF8.self) == String(value, radix: 16))
        }
    }

    @Test("Copies take exactly their bytes", arguments: 0...70)
    func copies(count: Int) {
        let source = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
        let out = UnsafeMutablePointer<UInt8>.allocate(capacity: count + 1)
        defer {
            source.deallocate()
            out.deallocate()
        }
        for index in 0..<count { source[index] = UInt8(index + 1) }
        out.update(repeating: 0xaa, count: count + 1)
        ASCII.copy(source, into: out, count: count)
        #expect((0..<count).allSatisfy { out[$0] == UInt8($0 + 1) })
        #expect(out[count] == 0xaa)
    }
}

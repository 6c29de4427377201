import Foundation
import Testing

@testable import WeirEngine

@Suite struct GRPCWebTests {
    private static func decode(_ pieces: [[UInt8]]) -> [UInt8]? {
        var decoder = GRPCWebTextDecoder()
        var all: [UInt8] = []
        for piece in pieces {
            var room = [UInt8](repeating: 0, count: GRPCWebTextDecoder.bound(piece.count))
            guard
                let length = piece.withUnsafeBytes({ text in
                    room.withUnsafeMutableBufferPointer { decoder.decode(text, into: $0.baseAddress!) }
                })
            else { return nil }
            all += room.prefix(length)
        }
        return decoder.isWhole ? all : nil
    }

    private static func encode(_ pieces: [[UInt8]]) -> String {
        var encoder = GRPCWebTextEncoder()
        var all: [UInt8] = []
        for piece in pieces {
            var room = [UInt8](repeating: 0, count: GRPCWebTextEncoder.bound(piece.count))
            let length = piece.withUnsafeBytes { bytes in
                room.withUnsafeMutableBufferPointer { encoder.encode(bytes, into: $0.baseAddress!) }
            }
            #expect(length <= room.count)
            all += room.prefix(length)
        }
        var last = [UInt8](repeating: 0, count: 4)
        let length = last.withUnsafeMutableBufferPointer { encoder.finish(into: $0.baseAddress!) }
        return String(decoding: all + last.prefix(length), as: UTF8.self)
    }

    private static func message(_ bytes: [UInt8]) -> [UInt8] {
        [0] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * $0)) } + bytes
    }

    /// The pieces of something at random places.
    private static func split(_ bytes: [UInt8], _ random: inout FastRandom) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + Int(random.below(7)))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }

    @Test func textInAnyPiecesIsTheSameBytes() {
        var random = FastRandom(seed: 11)
        for _ in 0..<2_000 {
            // Some runs, each padded by itself, as clients send message by message.
            let runs = (0..<(1 + random.below(4))).map { _ in
                (0..<random.below(20)).map { _ in UInt8(random.below(256)) }
            }
            let text = runs.map { Data($0).base64EncodedString() }.joined()
            #expect(Self.decode(Self.split(Array(text.utf8), &random)) == runs.flatMap { $0 })
        }
    }

    @Test(arguments: ["A", "AA", "AAA", "A===", "=AAA", "AA=A", "AAA=A", "AB==", "AAB=", "AA\nA", "AAA-", "AA==="])
    func whatIsNoBase64IsRefused(text: String) { #expect(Self.decode([Array(text.utf8)]) == nil) }

    @Test func messagesAreEncodedOneByOneHoweverTheyArrive() {
        var random = FastRandom(seed: 12)
        for _ in 0..<2_000 {
            let messages = (0..<random.below(4)).map { _ in
                Self.message((0..<random.below(12)).map { _ in UInt8(random.below(256)) })
            }
            let expected = messages.map { Data($0).base64EncodedString() }.joined()
            #expect(Self.encode(Self.split(messages.flatMap { $0 }, &random)) == expected)
            #expect(Self.encode([messages.flatMap { $0 }]) == expected)
        }
    }

    @Test func aBodyThatEndsInsideAMessageLosesNothing() {
        #expect(Self.encode([[0, 0, 0, 0, 9, 1, 2]]) == Data([0, 0, 0, 0, 9, 1, 2]).base64EncodedString())
    }

    @Test func manyEmptyMessagesFitIntoTheirBound() {
        let empty = (0..<1_000).flatMap { _ in Self.message([]) }
        #expect(Self.encode([empty]).utf8.count == 8_000)
    }

    @Test(
        arguments: [
            ("application/grpc-web", .binary), ("application/grpc-web+proto", .binary),
            ("Application/GRPC-Web+json", .binary),
            ("application/grpc-web-text", .text), ("application/grpc-web-text+proto; charset=utf-8", .text),
            ("application/grpc", nil), ("application/grpc+proto", nil), ("application/grpc-webs", nil),
            ("text/plain", nil),
            ("", nil), ("application/grpc-web-texts", nil),
        ] as [(String, GRPCWebCall.Kind?)])
    func callsAreKnownByTheirContentType(type: String, kind: GRPCWebCall.Kind?) {
        let bytes = Array(type.utf8)
        #expect(bytes.withUnsafeBytes { GRPCWebCall.kind($0) } == kind)
    }
}

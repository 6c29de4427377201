import CWeir
import Glibc
import Testing
import WeirTestSupport

@testable import WeirEngine

/// The ring between a worker and the writer.
@Suite struct AccessLogRingTests {
    private static func put(_ count: Int, _ byte: UInt8, _ producer: inout AccessLogProducer) -> Bool {
        guard let room = producer.room(count) else { return false }
        room.update(repeating: byte, count: count)
        producer.commit(count)
        return true
    }

    @Test func whatWrapsIsOneRun() throws {
        let ring = try AccessLogRing()
        var producer = AccessLogProducer(ring, wakeDescriptor: -1)
        #expect(ring.waiting.isEmpty)
        for round in 0..<300 {
            let byte = UInt8(round % 251)
            let fits = Self.put(10_007, byte, &producer)
            #expect(fits)
            #expect(ring.waiting.count == 10_007 && ring.waiting.allSatisfy { $0 == byte })
            ring.consume(10_007)
        }
    }

    @Test func aFullRingTakesNothingUntilThereIsRoom() throws {
        let ring = try AccessLogRing()
        var producer = AccessLogProducer(ring, wakeDescriptor: -1)
        let piece = AccessLogRing.capacity / 4
        for _ in 0..<4 {
            let fits = Self.put(piece, 1, &producer)
            #expect(fits)
        }
        let overflows = Self.put(1, 1, &producer)
        #expect(!overflows && ring.waiting.count == AccessLogRing.capacity)
        ring.consume(1)
        let fits = Self.put(1, 2, &producer)
        #expect(fits && ring.waiting.last == 2)
        let again = Self.put(1, 2, &producer)
        #expect(!again)
    }

    @Test func theWriterIsWokenOnceForHalfARing() throws {
        let ring = try AccessLogRing()
        let wake = weir_eventfd()
        defer { close(wake) }
        var producer = AccessLogProducer(ring, wakeDescriptor: wake)
        func wakeUps() -> UInt64 {
            var count: UInt64 = 0
            return read(wake, &count, 8) == 8 ? count : 0
        }
        let piece = AccessLogRing.capacity / 64
        for index in 1...64 {
            _ = Self.put(piece, 1, &producer)
            #expect(wakeUps() == (index == 32 || index == 64 ? 1 : 0), "piece \(index)")
        }
        // What is taken in time wakes nobody.
        ring.consume(ring.waiting.count)
        for _ in 0..<256 {
            _ = Self.put(piece, 1, &producer)
            ring.consume(piece)
        }
        #expect(wakeUps() == 0)
    }

    @Test func oneThreadPutsWhileAnotherTakes() throws {
        let ring = try AccessLogRing()
        let total = 200_000
        let crew = TestCrew(1) { _ in
            var producer = AccessLogProducer(ring, wakeDescriptor: -1)
            var next = 0
            while next < total {
                guard let room = producer.room(16) else {
                    sched_yield()
                    continue
                }
                UnsafeMutableRawPointer(room).storeBytes(of: UInt64(next), as: UInt64.self)
                UnsafeMutableRawPointer(room).storeBytes(of: ~UInt64(next), toByteOffset: 8, as: UInt64.self)
                producer.commit(16)
                next += 1
            }
        }
        var seen = 0
        var wrong = 0
        while seen < total {
            let bytes = ring.waiting
            for offset in stride(from: 0, to: bytes.count, by: 16) {
                let first = bytes.load(fromByteOffset: offset, as: UInt64.self)
                let second = bytes.load(fromByteOffset: offset + 8, as: UInt64.self)
                if first != UInt64(seen) || second != ~first { wrong += 1 }
                seen += 1
            }
            ring.consume(bytes.count)
            if bytes.isEmpty { sched_yield() }
        }
        try crew.join()
        #expect(wrong == 0 && ring.waiting.isEmpty)
    }
}

import Testing

@testable import WeirEngine

@Suite struct H2StreamRecordTests {
    private func opened(_ ids: Int32...) -> H2StreamRecord {
        var record = H2StreamRecord()
        for id in ids {
            record.began(id)
            record.accepted()
        }
        return record
    }

    @Test func aStreamThatWasOpenIsClosed() {
        let record = opened(1, 3, 5)
        #expect(record.judge(3) == .streamClosed)
        #expect(record.isNew(7) && !record.isNew(5))
    }

    @Test func aStreamThatNobodyHasOpenedYetIsForTheLibraryToJudge() {
        let record = opened(1)
        #expect(record.judge(3) == nil)
        #expect(record.judge(2) == nil)
        #expect(record.judge(0) == nil)
    }

    @Test func skippedStreamsWereNeverOpened() {
        var record = opened(3, 9, 11)
        #expect(record.judge(1) == .protocolError)
        #expect(record.judge(5) == .protocolError && record.judge(7) == .protocolError)
        #expect(record.judge(3) == .streamClosed && record.judge(9) == .streamClosed)
        for gap in 0..<Int32(H2Limits.rememberedGaps) {
            record.began(101 + 10 * gap)
            record.accepted()
        }
        // The first gaps are forgotten: still an error, of another name.
        #expect(record.judge(1) == .streamClosed && record.judge(121) != nil)
    }

    @Test func whatIsLateOnAStreamThatWeHaveResetIsIgnored() {
        var record = opened(1, 3)
        record.wasReset(1)
        #expect(record.judge(1) == nil && record.judge(3) == .streamClosed)
    }

    @Test func aStreamThatWasRefusedCountsAsReset() {
        var record = opened(1)
        record.began(3)
        #expect(record.judge(3) == nil)
        record.began(5)
        record.began(7)
        record.accepted()
        #expect(record.judge(5) == nil && record.judge(7) == .streamClosed)
    }

    @Test func lateFramesOnStreamsOfLongAgoAreIgnored() {
        var record = opened(1)
        record.wasReset(1)
        for number in 1...Int32(H2Limits.rememberedResets) {
            record.began(2 * number + 1)
            record.accepted()
            record.wasReset(2 * number + 1)
        }
        #expect(record.judge(1) == nil)
        #expect(record.judge(3) == nil)
    }
}

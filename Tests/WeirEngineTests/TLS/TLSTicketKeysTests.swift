import Testing

@testable import WeirEngine

@Suite struct TLSTicketKeysTests {
    private let hour = UInt64(TLSTicketKeys.rotationSeconds) * 1_000_000_000

    @Test func aKeyServesForAnHour() {
        let keys = TLSTicketKeys()
        let first = keys.current(at: 1)
        #expect(first.count == 1)
        #expect(keys.current(at: hour) == first)
        let second = keys.current(at: 1 + hour)
        #expect(second.count == 2 && second[1] == first[0] && second[0].name != first[0].name)
    }

    @Test func theTwoBeforeItStillOpen() {
        let keys = TLSTicketKeys()
        let first = keys.current(at: 1)[0]
        for age in 1...TLSTicketKeys.keptKeys {
            #expect(keys.current(at: 1 + UInt64(age) * hour).contains(first))
        }
        #expect(!keys.current(at: 1 + UInt64(TLSTicketKeys.keptKeys + 1) * hour).contains(first))
        // With the one in use they last as long as a session does.
        #expect(TLSTicketKeys.keptKeys * TLSTicketKeys.rotationSeconds >= TLSLimits.sessionSeconds)
    }
}

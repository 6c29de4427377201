import Testing

@testable import WeirEngine

/// What an answer's head becomes on an HTTP/2 stream.
@Suite struct H2ResponseFieldsTests {
    private static func names(_ head: ResponseHead) -> [String] {
        var names: [String] = []
        H2ResponseFields.with(head, status: head.status) { list, _ in
            for index in 0..<list.count { names.append(String(decoding: list.name(index), as: UTF8.self)) }
        }
        return names
    }

    @Test func anEmptyAnswerSaysThatItIsEmpty() {
        let head = ResponseHead()
        head.status = 404
        head.framing = .length(0)
        #expect(Self.names(head) == [":status", "content-length"])
    }

    @Test func anAnswerOfGRPCThatIsAHeadAloneHasNoLineThatItsClientWouldTakeForItsOwn() {
        let head = ResponseHead()
        head.status = 200
        head.framing = .length(0)
        head.block.append(.grpcStatus, "grpc-status", value: "14")
        #expect(Self.names(head) == [":status", "grpc-status"])
    }
}

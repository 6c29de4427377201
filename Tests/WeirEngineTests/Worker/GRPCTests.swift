import Foundation
import Testing

@testable import WeirEngine

/// gRPC and gRPC-Web through an exchange whose both sides carry trailers.
@Suite struct GRPCTests {
    private static func message(_ bytes: [UInt8], flag: UInt8 = 0) -> [UInt8] {
        [flag] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * $0)) } + bytes
    }

    /// A call as a client begins it, and where it went.
    private static func call(
        _ worker: MemoryWorker, type: StaticString, accept: StaticString? = nil
    ) throws -> (connection: MemoryServerConnection, stream: MemoryServerStream, upstream: MemoryClientStream) {
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 1, path: "/pkg.Svc/Method", hasBody: true) { head in
            head.block.append(.contentType, "content-type", value: type)
            if let accept { head.block.append(.accept, "accept", value: accept) }
            let bytes = UnsafeRawBufferPointer(start: type.utf8Start, count: type.utf8CodeUnitCount)
            head.isGRPCWeb = GRPCWebCall.kind(bytes) != nil
            head.isGRPC = !head.isGRPCWeb
        }
        stream.grant(.max / 2)
        let pool = try #require(worker.pools.last)
        return (connection, stream, try #require(pool.streams.last))
    }

    private static func body(_ connection: MemoryServerConnection) -> [UInt8] {
        connection.sent.flatMap { frame in
            if case .data(_, let bytes) = frame { return bytes }
            return []
        }
    }

    private static func answer(_ upstream: MemoryClientStream, _ pieces: [[UInt8]], status: StaticString = "0") {
        upstream.answer(status: 200) { $0.block.append(.contentType, "content-type", value: "application/grpc") }
        for piece in pieces { upstream.answer(body: piece) }
        upstream.answer(trailer: "grpc-status", status)
        upstream.answerEnd()
    }

    @Test func aBinaryCallBecomesGRPCAndItsTrailersTheLastMessage() throws {
        let worker = try MemoryWorker.serving()
        let (connection, stream, upstream) = try Self.call(worker, type: "application/grpc-web+proto")
        #expect(upstream.headers["content-type"] == "application/grpc" && upstream.headers["te"] == "trailers")
        #expect(upstream.headers["grpc-accept-encoding"] == "identity,deflate,gzip")
        _ = stream.data(Self.message([1, 2, 3]))
        stream.clientEnded()
        #expect(upstream.received == Self.message([1, 2, 3]) && upstream.gotEnd)
        Self.answer(upstream, [Self.message([7]), Self.message([8])])
        #expect(stream.headers["content-type"] == "application/grpc-web+proto")
        let trailers = Self.message(Array("grpc-status:0\r\n".utf8), flag: 0x80)
        #expect(Self.body(connection) == Self.message([7]) + Self.message([8]) + trailers)
        #expect(stream.ended && !stream.wasReset)
        #expect(!connection.sent.contains { if case .trailer = $0 { true } else { false } })
    }

    @Test func aCallInTextIsDecodedAndItsAnswerEncodedMessageByMessage() throws {
        let worker = try MemoryWorker.serving()
        let (connection, stream, upstream) = try Self.call(
            worker, type: "application/grpc-web-text", accept: "application/grpc-web-text")
        let text = Array(Data(Self.message([1, 2, 3, 4])).base64EncodedString().utf8)
        _ = stream.data(Array(text.prefix(3)))
        #expect(upstream.received.isEmpty)
        _ = stream.data(Array(text.dropFirst(3)))
        stream.clientEnded()
        #expect(upstream.received == Self.message([1, 2, 3, 4]) && upstream.gotEnd)
        let message = Self.message([9, 9])
        Self.answer(upstream, [Array(message.prefix(2)), Array(message.dropFirst(2))], status: "5")
        #expect(stream.headers["content-type"] == "application/grpc-web-text+proto")
        let trailers = Self.message(Array("grpc-status:5\r\n".utf8), flag: 0x80)
        let expected = Data(message).base64EncodedString() + Data(trailers).base64EncodedString()
        #expect(String(decoding: Self.body(connection), as: UTF8.self) == expected)
    }

    @Test(arguments: ["!!!!", "AAA"])
    func textThatIsNoBase64IsRefused(text: String) throws {
        let worker = try MemoryWorker.serving()
        let (_, stream, upstream) = try Self.call(worker, type: "application/grpc-web-text")
        _ = stream.data(Array(text.utf8))
        stream.clientEnded()
        #expect(stream.ended && upstream.isCancelled)
        // 400, as gRPC tells it.
        #expect(stream.headers["grpc-status"] == "13")
        #expect(stream.headers["content-type"] == "application/grpc-web+proto")
    }

    @Test func anAnswerThatIsNoGRPCIsPassedOnAsItIs() throws {
        let worker = try MemoryWorker.serving()
        let (connection, stream, upstream) = try Self.call(
            worker, type: "application/grpc-web-text", accept: "application/grpc-web-text")
        stream.clientEnded()
        upstream.answer(status: 503) { $0.block.append(.contentType, "content-type", value: "text/plain") }
        upstream.answer(body: Array("sorry".utf8))
        upstream.answerEnd()
        #expect(stream.headers["content-type"] == "text/plain")
        #expect(Self.body(connection) == Array("sorry".utf8))
    }

    @Test func anAnswerOfAHeadAloneKeepsItsStatusThere() throws {
        let worker = try MemoryWorker.serving()
        let (connection, stream, upstream) = try Self.call(worker, type: "application/grpc-web")
        stream.clientEnded()
        upstream.answer(status: 200, last: true) {
            $0.block.append(.contentType, "content-type", value: "application/grpc")
            $0.block.append(.grpcStatus, "grpc-status", value: "12")
            $0.hasGRPCStatus = true
        }
        #expect(stream.headers["grpc-status"] == "12" && stream.ended && Self.body(connection).isEmpty)
        #expect(stream.headers["content-type"] == "application/grpc-web+proto")
    }

    @Test func trailersOfGRPCPassAsTrailers() throws {
        let worker = try MemoryWorker.serving()
        let (connection, stream, upstream) = try Self.call(worker, type: "application/grpc")
        stream.clientEnded()
        Self.answer(upstream, [Self.message([1])], status: "7")
        let trailers = connection.sent.compactMap { frame in
            if case .trailer(_, let name, let value) = frame { return "\(name): \(value)" }
            return nil
        }
        #expect(trailers == ["grpc-status: 7"] && Self.body(connection) == Self.message([1]))
    }

    // MARK: Tunnels between such sides

    @Test func bytesThatAMultiplexedClientDoesNotWaitWithReachTheTunnelBehindItsAgreement() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 1, path: "/chat", hasBody: true) {
            $0.wantsUpgrade = true
            $0.framing = .none
        }
        stream.grant(.max / 2)
        let pool = try #require(worker.pools.last)
        let upstream = try #require(pool.streams.last)
        _ = stream.data([1, 2, 3])
        stream.clientEnded()
        #expect(upstream.received.isEmpty && !upstream.gotEnd && stream.isPaused)
        upstream.answer(status: 101)
        #expect(upstream.received == [1, 2, 3] && upstream.gotEnd && !stream.isPaused && !stream.ended)
        upstream.answer(body: [9])
        upstream.answerEnd()
        #expect(stream.ended && Self.body(connection) == [9] && worker.report().activeTunnels == 0)
        #expect(worker.replayBytes == 0)
    }

    @Test func bytesOfATunnelThatIsRefusedReachNobody() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 1, path: "/chat", hasBody: true) {
            $0.wantsUpgrade = true
            $0.framing = .none
        }
        let pool = try #require(worker.pools.last)
        let upstream = try #require(pool.streams.last)
        _ = stream.data([1, 2, 3])
        upstream.answer(status: 403)
        _ = stream.data([4])
        upstream.answerEnd()
        #expect(upstream.received.isEmpty && stream.ended && !upstream.isCancelled && worker.replayBytes == 0)
    }

    @Test func whatComesBeforeATunnelIsBounded() throws {
        let worker = try MemoryWorker.serving()
        let connection = MemoryServerConnection(worker: worker)
        let stream = connection.open(stream: 1, path: "/chat", hasBody: true) {
            $0.wantsUpgrade = true
            $0.framing = .none
        }
        let pool = try #require(worker.pools.last)
        let upstream = try #require(pool.streams.last)
        let piece = [UInt8](repeating: 1, count: 32 * 1024)
        for _ in 0...(ReplayBuffer.maxBytes / piece.count) { _ = stream.data(piece) }
        #expect(stream.ended && upstream.isCancelled && worker.replayBytes == 0)
        guard case .head(_, let status) = connection.sent.first else {
            Issue.record("no answer")
            return
        }
        #expect(status == 400)
    }
}

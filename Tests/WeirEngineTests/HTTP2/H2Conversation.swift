import WeirTestSupport

@testable import WeirEngine

/// A client's frames against a gateway whose time stands still.
final class H2Conversation {
    typealias Frame = H2TestFrame

    let gateway: SteppedGateway
    private(set) var client: H2TestClient

    /// `origin`: answers each request with 200 and its body, unless another one is given.
    init(origins: [Int] = [], greets: Bool = true, accessLog: AccessLog? = nil) throws {
        gateway = try SteppedGateway(origins: origins, accessLog: accessLog)
        client = try H2TestClient(port: gateway.port, greets: greets)
        if greets { try run(until: "the settings come") { $0.frames(Frame.settings).count == 2 } }
    }

    func send(_ frames: Frame...) throws { try client.send(frames) }
    func send(_ frames: [Frame]) throws { try client.send(frames) }

    func get(_ stream: Int = 1, _ path: String = "/", _ fields: [(String, String)] = []) -> Frame {
        H2TestClient.head(stream, H2TestClient.request("GET", path, fields))
    }

    /// A head that a body follows.
    func post(_ stream: Int = 1, _ fields: [(String, String)] = []) -> Frame {
        H2TestClient.head(stream, H2TestClient.request("POST", "/", fields), ends: false)
    }

    func run(until what: String, _ condition: (H2TestClient) -> Bool) throws {
        try gateway.run(until: what) {
            client.listen()
            return condition(client)
        }
    }

    /// Lets the gateway take in everything sent so far: a PING behind it is answered.
    func settle() throws {
        let before = client.frames(Frame.ping).count
        try send(Frame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8]))
        try run(until: "the ping is answered") { $0.frames(Frame.ping).count > before || $0.hasEnded }
    }

    func awaitExchanges(_ count: Int) throws {
        try run(until: "\(count) requests are being served") { _ in gateway.activeExchanges == count }
    }

    /// Waits until a request has a connection to the origin.
    func awaitOrigin(_ origin: OriginServer) throws {
        try run(until: "the origin is connected") { _ in origin.acceptedConnections > 0 }
        try awaitExchanges(1)
        try settle()
    }

    /// The code the connection ends with.
    func connectionError() throws -> Int? {
        try run(until: "the connection is ended") { $0.hasEnded }
        return client.goAwayCode
    }
}

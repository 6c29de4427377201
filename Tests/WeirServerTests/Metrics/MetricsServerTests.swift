import Testing
import WeirTestSupport

@testable import WeirEngine
@testable import WeirServer

@Suite struct MetricsServerTests {
    private let status = ServerStatus(workers: 2)

    @Test func scrapesWaitForTheWorkersAndAreBounded() throws {
        var options = EngineOptions()
        options.workers = 2
        let engine = Engine(options: options)
        let servers = LocalServers(name: "test")
        let metrics = MetricsServer(
            engine: engine, names: DestinationNames(), source: SourceLabels(),
            server: ServerMetrics(status: status), servers: servers)
        let port = try servers.listen("127.0.0.1:0") { metrics.answer($0) }
        servers.start()
        defer { servers.stop() }
        let request = "GET /stats/prometheus HTTP/1.1\r\nHost: a\r\n\r\n"
        // The workers have not begun, so nobody is answered yet.
        let waiting = try (0..<MetricsServer.concurrentScrapes).map { _ in
            let socket = try TestSocket(port: port)
            try socket.send(request)
            return socket
        }
        var client = try TestClient(port: port)
        try eventually("all wait") { metrics.waitingCount == MetricsServer.concurrentScrapes }
        #expect(try client.request("GET", "/stats/prometheus").status == 503)
        // A client that leaves is not missed.
        waiting[0].disconnect()
        engine.start()
        defer { engine.stop() }
        for socket in waiting.dropFirst() {
            var reader = TestReader(socket)
            let answer = try #require(try reader.next())
            #expect(answer.status == 200 && !answer.isTruncated)
            #expect(PrometheusText(answer.text).faults.isEmpty)
        }
        try eventually("there is room again") { try client.request("GET", "/stats/prometheus").status == 200 }
    }

    @Test func anAnswerNobodyTakesGivesWay() {
        let metrics = GatheredMetrics(workers: 1)
        let scrape = Scrape(metrics, source: SourceLabels(), server: ServerMetrics(status: status))
        guard case .bytes = scrape.next() else { return #expect(Bool(false), "the head comes first") }
        scrape.giveWay(afterSeconds: 60)
        #expect(!scrape.isOver)
        scrape.giveWay(afterSeconds: -1)
        #expect(scrape.isOver)
        guard case .cut = scrape.next() else { return #expect(Bool(false), "the rest must not look like the end") }
    }

    @Test func anAnswerEnds() {
        let scrape = Scrape(
            GatheredMetrics(workers: 1), source: SourceLabels(), server: ServerMetrics(status: status))
        var bytes: [UInt8] = []
        while case .bytes(let piece) = scrape.next() { bytes += piece }
        #expect(scrape.isOver)
        guard case .end = scrape.next() else { return #expect(Bool(false), "it has an end") }
        let text = PrometheusText(String(decoding: bytes, as: UTF8.self))
        #expect(text.faults.isEmpty && text.types["istio_requests_total"] == "counter")
    }
}

import Foundation
import Testing
import WeirServer
import WeirTestSupport

/// What Istio's HTTP samples describe is served as they describe it.
@Suite struct SampleTests {
    /// The folder of the samples themselves, which are not part of the repository: WEIR_SUITES names where they are.
    private static let samples = ProcessInfo.processInfo.environment["WEIR_SUITES"].map { $0 + "/istio-samples/" }
        .flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }

    @Test(arguments: SampleShape.all)
    func aSampleAnswersAsItIsWritten(shape: SampleShape) throws {
        try expect(shape, [shape.text] + (shape.with.isEmpty ? [] : [SampleShape.rules]))
    }

    @Test(.enabled(if: samples != nil, "WEIR_SUITES names no samples"), arguments: SampleShape.all)
    func soDoesTheSampleItself(shape: SampleShape) throws {
        try expect(
            shape,
            ([shape.file] + shape.with).map { try String(contentsOfFile: (Self.samples ?? "") + $0, encoding: .utf8) })
    }

    /// Rules for services alone, which have nothing to serve and nothing to report.
    private static let quiet = [
        "bookinfo/networking/destination-rule-all.yaml", "bookinfo/networking/destination-rule-reviews.yaml",
    ]

    @Test(.enabled(if: samples != nil, "WEIR_SUITES names no samples")) func everyOtherSampleLoadsAndIsReported() throws
    {
        let root = try #require(Self.samples)
        let files = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        let others = Set(files.filter { $0.hasSuffix(".yaml") }).subtracting(SampleShape.all.map(\.file))
        #expect(others.count >= 15)
        for file in others.sorted() {
            let directory = try TemporaryDirectory()
            try directory.write("sample.yaml", String(contentsOfFile: root + file, encoding: .utf8))
            try directory.write("served.yaml", Documents.gateway())
            let server = try RunningServer.live(directory)
            let status = try server.status()
            #expect(status.errors.map(\.message) == [], "\(file)")
            let reports = status.problems.filter { $0.file?.hasSuffix("sample.yaml") == true }
            #expect(reports.isEmpty == Self.quiet.contains(file), "\(file)")
        }
    }

    /// Serves the documents with an origin for each version of each service, and sends what the shape asks.
    private func expect(_ shape: SampleShape, _ documents: [String]) throws {
        let application = try Application(shape.services)
        let directory = try TemporaryDirectory()
        for (index, text) in (documents + [application.entries]).enumerated() {
            try directory.write("\(index).yaml", text)
        }
        let mesh = try TestPort.free()
        let server = try RunningServer.live(directory, ports: [80, 8080]) { options in
            options.binding.meshListen = try? HostPort("127.0.0.1:\(mesh)")
        }
        #expect(try server.status().errors.map(\.message) == [])
        for ask in shape.asks {
            let port = if case .gateway(let number) = ask.at { try server.port(number) } else { mesh }
            try expect(ask, port: port)
        }
    }

    private func expect(_ ask: SampleShape.Ask, port: Int) throws {
        var client = try TestClient(port: port)
        var seen: Set<String> = []
        // A share of a tenth is missed once in 10^9 times.
        for _ in 0..<(ask.answers.count > 1 ? 200 : 2) {
            let answer = try client.request("GET", ask.target, host: ask.host, headers: ask.headers)
            guard answer.status == ask.status else {
                Issue.record("\(ask.host)\(ask.target): \(answer.startLine)")
                return
            }
            if let backend = answer["x-backend"] { seen.insert(backend) }
        }
        #expect(seen == ask.answers, "\(ask.host)\(ask.target)")
    }

    /// The services of a sample, each version an origin.
    private final class Application {
        private(set) var entries = ""
        private var origins: [OriginServer] = []

        init(_ services: [SampleShape.Service]) throws {
            entries = try services.map { service in
                let endpoints = try service.versions.map { version in
                    let origin = try OriginServer(name: "\(service.host)-\(version)")
                    origins.append(origin)
                    return "  - {address: 127.0.0.1, ports: {http: \(origin.port)}, labels: {version: \(version)}}\n"
                }
                return """
                    apiVersion: networking.istio.io/v1
                    kind: ServiceEntry
                    metadata: {name: \(service.host), namespace: \(service.namespace)}
                    spec:
                      hosts: [\(service.host).\(service.namespace).svc.cluster.local]
                      resolution: STATIC
                      ports: [{number: \(service.port), name: http, protocol: HTTP}]
                      endpoints:

                    """ + endpoints.joined()
            }.asFile
        }

        deinit { for origin in origins { origin.stop() } }
    }
}

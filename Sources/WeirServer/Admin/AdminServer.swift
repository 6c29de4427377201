import FoundationEssentials
package import WeirEngine
import WeirSources

/// The admin API: readiness, status, what is in force.
///
/// Answers on the admin thread; holds no sockets itself.
package struct AdminServer: Sendable {
    private static let endpoints =
        [
            ("/ready", "200 once the first configuration is live on all workers, 503 before and while draining"),
            ("/status", "generation, resources, listeners, problems and files, as JSON"),
            ("/config_dump", "listeners, hosts, routes and clusters in force, as JSON"),
            (LogSettings.path, "log levels, as JSON; PUT or POST ?level=debug or ?config=debug changes them"),
            ("/stats/prometheus", "metrics, in Prometheus' text format"),
        ] + ListingKind.allCases.map { ($0.path, $0.summary) }

    private let status: ServerStatus
    private let metrics: MetricsServer
    private let logging: LogSettings
    private let listings: ListingServer

    init(status: ServerStatus, metrics: MetricsServer, logging: LogSettings, listings: ListingServer) {
        self.status = status
        self.metrics = metrics
        self.logging = logging
        self.listings = listings
    }

    package func answer(_ request: LocalRequest) -> LocalResponse {
        if request.path == LogSettings.path { return logging.answer(request) }
        return LocalAnswer.routed(request) { path in
            switch path {
            case "/": { .text(200, Self.index) }
            case "/ready": { LocalAnswer.readiness(of: status) }
            case "/status": { .json(StatusReport(status)) }
            case "/config_dump": { dump() }
            case "/stats/prometheus": { metrics.scrape() }
            default: listings.answer(path).map { answer in { answer(request) } }
            }
        }
    }

    private static var index: String {
        "Weir \(weirVersion) admin\n\n" + endpoints.map { "GET \($0.0)\n    \($0.1)\n" }.joined()
    }

    private func dump() -> LocalResponse {
        guard let snapshot = status.snapshot else { return .text(503, "no configuration yet") }
        let dump = ConfigDump(snapshot.describe())
        return LocalResponse(status: 200, contentType: LocalAnswer.jsonType) { dump.next() }
    }
}

/// Liveness and readiness for probes.
///
/// Answers on the admin thread.
package struct HealthServer: Sendable {
    private let status: ServerStatus

    package init(status: ServerStatus) { self.status = status }

    package func answer(_ request: LocalRequest) -> LocalResponse {
        LocalAnswer.routed(request) { path in
            switch path {
            case "/healthz/ready": { LocalAnswer.readiness(of: status) }
            case "/healthz/live": { .text(200, "alive") }
            default: nil
            }
        }
    }
}

/// What the process's own servers have in common in their answers.
enum LocalAnswer {
    static let jsonType = "application/json"

    /// 404 for a path nobody knows, 405 for a method other than GET and HEAD.
    static func routed(_ request: LocalRequest, _ find: (String) -> (() -> LocalResponse)?) -> LocalResponse {
        guard let answer = find(request.path) else { return .text(404, "not found; GET / lists what there is") }
        guard request.method == "GET" || request.method == "HEAD" else {
            return LocalResponse(
                status: 405, headers: [("allow", "GET, HEAD")], body: Array("method not allowed\n".utf8))
        }
        return answer()
    }

    static func readiness(of status: ServerStatus) -> LocalResponse {
        if status.isReady { return .text(200, "ready") }
        return .text(
            503, status.isDraining ? "not ready: draining" : "not ready: the first configuration is not live yet")
    }
}

extension LocalResponse {
    static func text(_ status: Int, _ text: String) -> LocalResponse {
        LocalResponse(status: status, body: Array((text.hasSuffix("\n") ? text : text + "\n").utf8))
    }

    static func json(_ value: some Encodable) -> LocalResponse {
        LocalResponse(
            status: 200, contentType: LocalAnswer.jsonType, body: JSONText.pretty(value) + [UInt8(ascii: "\n")])
    }
}

/// JSON with keys sorted and slashes plain.
enum JSONText {
    /// Without a line break.
    static func line(_ value: some Encodable) -> [UInt8] { text(value, [.sortedKeys, .withoutEscapingSlashes]) }

    /// As people read it: indented.
    static func pretty(_ value: some Encodable) -> [UInt8] {
        text(value, [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    private static func text(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting
        // Strings, integers and finite numbers always encode.
        guard let data = try? encoder.encode(value) else { preconditionFailure("a report that is no JSON") }
        return Array(data)
    }
}

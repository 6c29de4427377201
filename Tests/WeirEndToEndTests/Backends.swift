import WeirTestSupport

/// Named backends v1, v2 and so on, each an origin on a port of its own; they end with the object.
final class Backends: Sendable {
    let origins: [OriginServer]

    init(_ count: Int) throws {
        origins = try (1...count).map { try OriginServer(name: "v\($0)") }
    }

    deinit { for origin in origins { origin.stop() } }

    var ports: [Int] { origins.map(\.port) }
}

extension RunningServer {
    /// Sends requests over one connection; counts the answers by backend, or by status where no backend answered.
    func tally(
        _ requests: Int, _ target: String = "/", host: String = "example.com", headers: [(String, String)] = []
    ) throws -> [String: Int] {
        let port = ports.count == 1 ? ports.keys.first ?? 80 : 80
        var client = try client(port: port)
        var counts: [String: Int] = [:]
        for _ in 0..<requests {
            let answer = try client.request("GET", target, host: host, headers: headers)
            counts[answer["x-backend"] ?? "\(answer.status)", default: 0] += 1
        }
        return counts
    }
}

/// Whether a count of independent choices is within 5 standard deviations of what its share promises: wrong once in 1.7
/// million runs.
func isWithinFiveSigma(_ count: Int?, of total: Int, share: Double) -> Bool {
    let sigma = (Double(total) * share * (1 - share)).squareRoot()
    return abs(Double(count ?? 0) - Double(total) * share) <= 5 * sigma
}

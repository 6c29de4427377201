#if WEIR_BENCH
extension HotLoop {
    /// What a routing table is asked: the bytes a request would bring.
    private struct Question {
        var host = pinnedBytes("shop.example.com")
        var path = pinnedBytes("/catalogue/items/4711")
        var tenant = pinnedBytes("nobody")
    }

    /// Finding host and route, with questions that rotate over all entries of the table.
    static func lookups() -> [HotLoop] {
        let everything = [RouteSpec(conditions: [MatchCondition(.path, .prefix("/"))])]
        let tenants = (0..<1_000).map { "tenant-\($0)" }
        let prefixes = (0..<1_000).map { "/api/service-\($0)/" }
        let regexes = (0..<1_000).map { RegexSet(valid: "/api/service-\($0)/[a-z]+-[0-9]+") }
        let hosts = (0..<10_000).map { "shop-\($0).example.com" }
        return [
            lookup("find route, 1 host, 1 route", hosts: ["*"], routes: everything, [Question()]),
            lookup(
                "find route, 1,000 header routes", hosts: ["*"],
                routes: tenants.map { RouteSpec(conditions: [MatchCondition(.header("x-tenant"), .exact($0))]) },
                tenants.map { Question(tenant: pinnedBytes($0)) }),
            lookup(
                "find route, 1,000 prefixes", hosts: ["*"],
                routes: prefixes.map { RouteSpec(conditions: [MatchCondition(.path, .prefix($0))]) },
                prefixes.map { Question(path: pinnedBytes("\($0)item")) }),
            lookup(
                "find route, 1,000 regexes", hosts: ["*"],
                routes: regexes.map { RouteSpec(conditions: [MatchCondition(.path, .regex($0))]) },
                prefixes.map { Question(path: pinnedBytes("\($0)item-7")) }),
            lookup(
                "find route, 10,000 hosts", hosts: hosts, routes: everything,
                hosts.map { Question(host: pinnedBytes($0)) }),
        ]
    }

    private static func lookup(
        _ name: String, hosts: [String], routes: [RouteSpec], _ questions: [Question]
    ) -> HotLoop {
        let listener = ListenerPlan(
            port: 80, bind: nil,
            hosts: hosts.map { ListenerPlan.Host(pattern: $0, plan: VirtualHostPlan(routes: routes)) })
        let fieldName = pinnedBytes("x-tenant")
        return HotLoop(name: name) { repetitions in
            withUnsafeTemporaryAllocation(of: HeaderField.self, capacity: 1) { fields in
                var sum: UInt64 = 0
                var next = 0
                for _ in 0..<repetitions {
                    let question = questions[next]
                    next = next + 1 < questions.count ? next + 1 : 0
                    fields.initialize(repeating: HeaderField(name: fieldName, value: question.tenant))
                    sum &+= find(question, UnsafePointer(fields.baseAddress!), listener)
                }
                return sum
            }
        }
    }

    @inline(__always)  // as the exchange does it, in one go
    private static func find(
        _ question: Question, _ field: UnsafePointer<HeaderField>, _ listener: ListenerPlan
    ) -> UInt64 {
        let authority = UnsafeRawBufferPointer(question.host)
        var query = RouteQuery(
            method: UnsafeRawBufferPointer(start: nil, count: 0), path: UnsafeRawBufferPointer(question.path),
            query: UnsafeRawBufferPointer(start: nil, count: 0), authority: authority, scheme: .http, worker: 0,
            fields: field, fieldCount: 1)
        guard let host = listener.virtualHost(for: authority) else { preconditionFailure("no host was found") }
        let route = host._withUnsafeGuaranteedRef { $0.next(after: -1, &query) }
        precondition(route >= 0, "no route was found")
        return UInt64(route)
    }
}

extension RegexSet {
    fileprivate convenience init(valid pattern: String) {
        do throws(Malformed) {
            try self.init(pattern: pattern, workers: 1)
        } catch {
            preconditionFailure("\(pattern): \(error.reason)")
        }
    }
}

extension HeaderField {
    fileprivate init(name: UnsafeMutableBufferPointer<UInt8>, value: UnsafeMutableBufferPointer<UInt8>) {
        self.init(
            name: UnsafePointer(name.baseAddress!), value: UnsafePointer(value.baseAddress!),
            nameLength: UInt32(name.count), valueLength: UInt32(value.count), token: .other, removed: false)
    }
}

extension RouteSpec {
    init(conditions: [MatchCondition], destinations: [Destination]? = nil) {
        let one = [Destination(clusterID: 0, weight: 1, clusterName: "origin")]
        self.init(
            conditions: conditions, destinations: destinations ?? one,
            origin: RouteOrigin(resource: "VirtualService default/bench", file: "", line: 0))
    }
}
#endif

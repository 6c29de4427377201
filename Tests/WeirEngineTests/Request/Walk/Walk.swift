@testable import WeirEngine

/// Requests, endpoints, timers and reloads in a random order, on a real worker whose peers are in memory.
final class Walk {
    /// Bytes of a request's body that come at once.
    static let longestBody = 30_000

    let ledger = WalkLedger()
    let worker: WalkWorker
    var random: FastRandom
    private let fault: WalkFault?
    private var clients: [WalkClient] = []
    private(set) var upstreams: [WalkUpstream] = []
    private var generation: UInt64 = 1
    private var walks = 0
    private let shared = ClusterShared(workers: 1)

    init(seed: UInt64, fault: WalkFault? = nil) {
        random = FastRandom(seed: seed)
        self.fault = fault
        worker = WalkWorker.make()
        // The engine's own tosses are part of the walk.
        worker.random = FastRandom(seed: seed)
        worker.leasing = { [unowned self] in lease(for: $0, to: $1) }
        worker.adopt(snapshot())
        worker.loop.holdTime()
    }

    /// Whether the exchange is made to err in this way now.
    func errs(as fault: WalkFault) -> Bool { self.fault == fault && random.below(4) == 0 }

    /// Whose request a try's head belongs to.
    func client(of head: RequestHead) -> WalkClient {
        clients[Int(String(decoding: head.block.value("x-walk"), as: UTF8.self)) ?? -1]
    }
    func upstream(_ number: Int) -> WalkUpstream { upstreams[number] }

    private func lease(for head: RequestHead, to sink: Borrowed<MessageSink>) -> Borrowed<ClientStream>? {
        client(of: head).tryBegan(head)
        guard random.below(10) != 0 else {
            ledger.count("no connection")
            return nil
        }
        return Borrowed(makeUpstream(sink))
    }

    private func makeUpstream(_ sink: Borrowed<MessageSink>) -> WalkUpstream {
        let upstream = WalkUpstream(upstreams.count, self, sink: sink, waits: random.below(3) == 0)
        upstreams.append(upstream)
        return upstream
    }

    // MARK: The configuration

    private static let conditions: [RetryConditions] = [
        RetrySpec.standardConditions, [.serverError], [.reset, .statusCodes], RetryConditions(rawValue: .max),
    ]

    /// A configuration that differs from others in everything an exchange looks at.
    private func snapshot() -> Snapshot {
        var spec = ClusterSpec(name: "outbound|80||walk")
        spec.endpoints = (0..<pick([0, 1, 2, 3, 3, 3])).compactMap { index in
            EndpointTarget("192.0.2.\(10 + index)").map { ClusterSpec.Endpoint($0, port: 80) }
        }
        spec.limits.retries = pick([0, 1, 2, .max])
        let hasCluster = random.below(12) != 0
        let origin = RouteOrigin(resource: "VirtualService default/walk", file: "walk", line: 1)
        var route = RouteSpec(
            conditions: [],
            destinations: [RouteSpec.Destination(clusterID: hasCluster ? 0 : -1, weight: 1, clusterName: spec.name)],
            origin: origin)
        route.timeoutMilliseconds = pick([0, 0, 60, 500])
        route.retry = RetrySpec(retries: pick([0, 1, 2, 5]), conditions: pick(Self.conditions))
        route.retry.codes = [404, 503]
        route.retry.tryTimeoutMilliseconds = pick([0, 20, 100, 700])
        route.retry.sparesUnsafe = random.below(4) == 0
        route.retry.backOffMilliseconds = pick([1, 25, 80])
        let tenth = RequestShare(millionths: 100_000)
        route.actions = RouteActions(
            fault: FaultInjection(
                delay: FaultInjection.Delay(milliseconds: pick([0, 5, 400]), share: tenth),
                abort: random.below(3) == 0 ? FaultInjection.Abort(.status(418), share: tenth) : nil))
        return Snapshot(
            generation: generation,
            listeners: [
                ListenerPlan(
                    port: 80, bind: nil,
                    hosts: [ListenerPlan.Host(pattern: "*", plan: VirtualHostPlan(routes: [route]))])
            ],
            clusters: hasCluster ? [ClusterPlan(id: 0, spec: spec, shared: shared)] : [], clusterCapacity: 1)
    }

    func pick<Element>(_ elements: [Element]) -> Element { elements[Int(random.below(UInt32(elements.count)))] }

    // MARK: Steps

    /// One walk of so many steps, and the proof that nothing is left of it.
    func run(steps: Int) {
        walks += 1
        ledger.began(walks)
        // Some bodies are longer than what is kept of one.
        let longest = random.below(12) == 0 ? Self.longestBody : 40
        for _ in 0..<steps { step(longest) }
        finish()
    }

    private func step(_ longest: Int) {
        switch random.below(20) {
        case 0...2: open()
        case 3...7: clientStep(longest)
        case 8...14: upstreamStep()
        case 15...18: pass(pick([0, 1, 5, 20, 25, 60, 200, 1000]))
        default:
            guard random.below(2) == 0 else { return pass(random.below(8) == 0 ? 3_600_000 : 3000) }
            ledger.stepped("reload")
            if clients.contains(where: { !$0.isDone && $0.status == 0 }) { ledger.count("reload in a request") }
            generation += 1
            worker.adopt(snapshot())
        }
    }

    private func open() {
        guard clients.count(where: { !$0.isDone }) < 3 else { return }
        let asksForTunnel = random.below(10) == 0
        let client = WalkClient(
            clients.count, self, method: asksForTunnel ? .get : pick([.post, .get, .put]),
            hasBody: !asksForTunnel && random.below(2) == 0, asksForTunnel: asksForTunnel)
        ledger.stepped("open\(client.number)\(asksForTunnel ? "t" : client.hasEnded ? "" : "b")")
        clients.append(client)
        let delays = worker.faults.delays
        client.begin()
        if worker.faults.delays > delays { ledger.count("delayed") }
    }

    private func pass(_ milliseconds: Int) {
        ledger.stepped("+\(milliseconds)ms")
        let before = upstreams.count { $0.isCancelled && $0.answer == .awaited }
        worker.loop.advance(milliseconds: milliseconds)
        let after = upstreams.count { $0.isCancelled && $0.answer == .awaited }
        if after > before { ledger.count("try given up in time") }
    }

    private func clientStep(_ longest: Int) {
        let open = clients.filter { !$0.isDone }
        guard !open.isEmpty else { return }
        let client = pick(open)
        switch random.below(12) {
        case 0...6 where !client.hasEnded && !(client.isPaused && random.below(4) != 0):
            let count = 1 + Int(random.below(UInt32(longest)))
            ledger.stepped("client\(client.number):\(count)")
            // A long body comes as more than one slice at a time.
            for _ in 0..<(longest > 1000 ? 12 : 1) where !client.isDone && !client.hasEnded {
                client.send(body: count)
            }
        case 7...8 where !client.hasEnded:
            ledger.stepped("client\(client.number):end")
            if random.below(4) == 0, !client.asksForTunnel { client.sendTrailers() }
            if !client.isDone { client.end() }
        case 9:
            ledger.stepped("client\(client.number):room")
            client.makeRoom()
        case 10 where random.below(2) == 0:
            ledger.stepped("client\(client.number):leaves")
            ledger.count(client.status == 0 ? "client left" : "client left inside the answer")
            client.leave(pick([.connectionClosed, .timeout, .cancelled]))
        default: break
        }
    }

    private func upstreamStep() {
        let live = upstreams.filter { $0.isLive && $0.client != nil }
        guard !live.isEmpty else { return }
        let upstream = pick(live)
        if upstream.waits { return connectStep(upstream) }
        switch upstream.answer {
        case .awaited: headStep(upstream)
        case .begun: bodyStep(upstream)
        case .over: upstream.makeRoom()
        }
    }

    private func connectStep(_ upstream: WalkUpstream) {
        switch random.below(6) {
        case 0...3:
            ledger.stepped("try\(upstream.number):connects")
            upstream.connect()
        case 4:
            ledger.stepped("try\(upstream.number):unconnected")
            upstream.fail(ProxyError(source: .upstream, cause: pick([.connectFailure, .connectTimeout])))
        default: move(upstream)
        }
    }

    private func move(_ upstream: WalkUpstream) {
        guard !upstream.hasInformed, let sink = upstream.borrowedSink else { return }
        ledger.stepped("try\(upstream.number):moves")
        ledger.count("moved")
        upstream.move(to: makeUpstream(sink))
    }

    private func headStep(_ upstream: WalkUpstream) {
        let number = upstream.number
        switch random.below(14) {
        case 0:
            ledger.stepped("try\(number):103")
            upstream.answer(status: 103)
        case 1...3:
            ledger.stepped("try\(number):200")
            upstream.answer(status: 200)
        case 4...8:
            let (status, last) = (pick([404, 500, 503, 503, 200]), random.below(2) == 0)
            ledger.stepped("try\(number):\(status)\(last ? "." : "")")
            upstream.answer(status: status, last: last)
        case 9...10:
            let cause = pick([ProxyError.Cause.connectionClosed, .remoteReset, .refusedStream, .protocolError])
            ledger.stepped("try\(number):\(cause)")
            upstream.fail(ProxyError(source: .upstream, cause: cause, isUnsent: random.below(3) == 0))
        case 11: move(upstream)
        case 12...13 where upstream.client?.asksForTunnel ?? false:
            ledger.stepped("try\(number):101")
            ledger.count("tunnel")
            upstream.answer(status: 101)
        default: upstream.makeRoom()
        }
    }

    private func bodyStep(_ upstream: WalkUpstream) {
        let number = upstream.number
        switch random.below(10) {
        case 0...4:
            ledger.stepped("try\(number):body")
            upstream.answer(body: 1 + Int(random.below(50)))
        case 5...6:
            ledger.stepped("try\(number):end")
            if !upstream.isTunnel, random.below(4) == 0 { upstream.answerTrailers() }
            if upstream.isLive { upstream.answerEnd() }
        case 7 where random.below(2) == 0:
            ledger.stepped("try\(number):breaks")
            upstream.fail(ProxyError(source: .upstream, cause: .connectionClosed))
        default: upstream.makeRoom()
        }
    }

    // MARK: The end

    private func finish() {
        expectNobodyWaitsForNothing()
        ledger.stepped("finish")
        for client in clients where !client.isDone { client.leave() }
        for upstream in upstreams where !upstream.isFinished {
            // What was answered whole ahead of its request is cut off by its connection.
            ledger.expect(upstream.answer == .over, "try \(upstream.number) was left behind")
        }
        clients = []
        upstreams = []
        if random.below(16) == 0 { worker.loop.advance(milliseconds: 8_000_000) }
        let retries = shared.limits.retries.now
        ledger.expect(retries == 0, "\(retries) requests are being tried again where there is none")
        let active = worker.activeRequests
        ledger.expect(active == 0, "\(active) requests are counted at endpoints where there is none")
        ledger.expect(worker.replayBytes == 0, "\(worker.replayBytes) bytes are kept for a further try of nothing")
        let stats = worker.report()
        ledger.expect(stats.activeExchanges == 0, "\(stats.activeExchanges) exchanges are left")
        ledger.expect(stats.activeTunnels == 0, "\(stats.activeTunnels) tunnels are left")
        ledger.expect(stats.pinnedGenerations == 1, "\(stats.pinnedGenerations) generations are held")
        let rest = worker.report().buffersInUse
        ledger.expect(rest == 0, "\(rest) buffers are held")
    }

    /// With room everywhere nobody is kept from reading.
    private func expectNobodyWaitsForNothing() {
        for upstream in upstreams where upstream.isLive && !upstream.waits {
            guard let client = upstream.client, !client.isDone else { continue }
            upstream.makeRoom()
            client.makeRoom()
            let passes = !client.hasEnded && (!client.asksForTunnel || client.hasTunnel)
            ledger.expect(!passes || !client.isPaused, "client \(client.number) waits for nothing")
            ledger.expect(!upstream.isPaused, "try \(upstream.number) waits for nothing")
        }
    }

    /// How often there were too many further tries at a time.
    var retriesRefused: Int { shared.limits.overflows[.retry] }

    /// Timers that are still armed when everything is long over.
    var timersLeft: Int {
        worker.loop.advance(milliseconds: 8_000_000)
        return worker.loop.timerCount
    }
}

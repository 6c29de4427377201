/// Where a request goes, and as what.
extension Exchange {
    func route(_ head: RequestHead, last: Bool) {
        guard let stream else { return }
        let downstream = stream.downstream
        guard let pinned = worker.pinCurrent() else {
            prepare(head, stream)
            return answer(.noRoute)
        }
        self.pinned = pinned
        var routeName = UnsafeRawBufferPointer(start: nil, count: 0)
        let selection = RouteSelection.select(
            head, downstream, pinned, worker, &routeName, &policies, &affinity)
        captureRoute(routeName)
        // After the choice, which looks at what the client sent; before any answer, whose line in the log does not.
        prepare(head, stream)
        if head.wantsOtherProtocol { return answer(.upgradeRefused) }
        if policies.isActive, let fault = policies.fault, injectFault(fault, into: selection) { return }
        guard proceed(to: selection, head, last: last), policies.isActive else { return }
        mirror(head, last: last, to: policies.mirrors)
    }

    /// Answers the request as the route says, or sends it on; `false` when nothing is under way for it afterwards, and it
    /// may be over.
    func proceed(to selection: RouteSelection, _ head: RequestHead, last: Bool) -> Bool {
        guard let stream else { return false }
        if policies.isActive, let reply = policies.answer(to: head, worker: worker.index) { return refuse(with: reply) }
        switch selection {
        case .redirectToHTTPS: return refuse(with: .redirectToHTTPS)
        case .noRoute:
            return refuse(with: worker.isMisdirected(head, on: stream.downstream.pointee.tls) ? .misdirected : .noRoute)
        case .noCluster: return refuse(with: .noCluster)
        case .cluster(let cluster, let route):
            if policies.isActive, !change(head, for: cluster) { return refuse(with: .requestTooLarge) }
            tries.begin(route, head)
            state.routed(retries: route.pointee.retry.retries)
            if state.request == .complete || head.wantsUpgrade { tries.requestEnded(self, loop) }
            sentAt = loop.now
            // Kept by the worker until the next generation, which no wake-up brings before this returns.
            return cluster._withUnsafeGuaranteedRef { cluster in
                record.clusterID = cluster.id
                let key = cluster.usesKeys ? affinity.key(head, stream, &worker.random) : 0
                return send(head, last: last, to: cluster.pick(key: key, &worker.random))
            }
        }
    }

    private func refuse(with reply: LocalReply) -> Bool {
        answer(reply)
        return false
    }

    /// Makes the lines of a request the gateway's own, those that name the client among them.
    func prepare(_ head: RequestHead, _ stream: Borrowed<ServerStream>) {
        ForwardedHeaders.prepare(
            head, downstream: stream.connectionInfo, trusted: trustedClient, random: &worker.random)
    }

    /// Changes the request as the route says; `false` when that cannot be sent.
    func change(_ head: RequestHead, for cluster: Unmanaged<Cluster>) -> Bool {
        record.clusterID = cluster._withUnsafeGuaranteedRef { $0.id }
        guard let scene else { return false }
        return policies.prepare(head, scene)
    }
}

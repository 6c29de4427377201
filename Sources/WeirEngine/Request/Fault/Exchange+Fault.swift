/// Failures that the route makes up: behind the choice of the route, in front of everything else (semantics 0.3).
///
/// A delay comes first and an abort behind it, each by a toss of its own.
extension Exchange {
    /// `true` when the request is held or answered: it goes no further for now.
    func injectFault(_ fault: UnsafePointer<FaultPlan>, into selection: RouteSelection) -> Bool {
        var chosen: UnsafePointer<RoutePlan>?
        if case .cluster(let cluster, let route) = selection {
            record.clusterID = cluster._withUnsafeGuaranteedRef { $0.id }
            chosen = route
        }
        guard fault.pointee.delayed.takes(&worker.random) else { return abort(fault) }
        worker.faults.delays += 1
        record.flags.insert(.delayInjected)
        state.held()
        tries.hold(chosen, milliseconds: fault.pointee.delayMilliseconds, self, loop)
        return true
    }

    private func abort(_ fault: UnsafePointer<FaultPlan>) -> Bool {
        guard fault.pointee.aborted.takes(&worker.random) else { return false }
        worker.faults.aborts += 1
        answer(.fault(fault))
        return true
    }

    /// The route's delay has passed: the request goes where it was to go, with what has come of it meanwhile.
    func goOn() {
        guard let stream else { return }
        if let fault = policies.fault, abort(fault) { return }
        var selection = RouteSelection.noCluster
        // Its cluster may have left the configuration meanwhile.
        if let route = tries.route, let cluster = worker.currentCluster(record.clusterID) {
            selection = .cluster(cluster, route)
        }
        let head = stream.requestHead
        let isTunnel = head.wantsUpgrade
        let isWhole = head.framing.isEmpty && !isTunnel
        guard proceed(to: selection, head, last: isWhole) else { return }
        if policies.isActive { mirror(head, last: isWhole, to: policies.mirrors) }
        guard !isWhole, !isTunnel else { return }
        if copies != nil { mirrorKept() }
        passOnKept()
    }
}

/// Failures made up since the start.
package struct FaultCounts: Sendable, Equatable {
    package var delays = 0
    package var aborts = 0

    package init() {}

    mutating func add(_ other: FaultCounts) {
        delays += other.delays
        aborts += other.aborts
    }
}

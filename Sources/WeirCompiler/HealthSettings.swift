import WeirConfig
import WeirEngine

extension ClusterSpec {
    /// When endpoints are taken out, how new ones begin.
    mutating func heed(_ policy: EffectivePolicy) {
        outlier = policy.outlierDetection.map(OutlierSpec.init)
        panicPercent = policy.outlierDetection?.minHealthPercent ?? 0
        warmup = policy.loadBalancer?.warmup.flatMap(WarmupSpec.init)
    }
}

extension OutlierSpec {
    /// With Istio's defaults (semantics 4.5).
    fileprivate init(_ block: TrafficPolicy.OutlierDetection) {
        self.init()
        if let count = block.consecutive5xxErrors { serverErrors = UInt32(clamping: count) }
        if let count = block.consecutiveGatewayErrors { gatewayErrors = UInt32(clamping: count) }
        // Here, as of the share, a written 0 is read as absent, as Istio reads it.
        splitsLocalFailures = block.splitExternalLocalOriginErrors
        if let count = block.consecutiveLocalOriginFailures, count > 0 { localFailures = UInt32(clamping: count) }
        errorStatuses = block.httpErrorCodes
        if let milliseconds = block.intervalMilliseconds { intervalMilliseconds = milliseconds }
        if let milliseconds = block.baseEjectionTimeMilliseconds { baseEjectionMilliseconds = milliseconds }
        if let percent = block.maxEjectionPercent, percent > 0 { mostEjectedPercent = percent }
    }
}

extension WarmupSpec {
    fileprivate init?(_ block: TrafficPolicy.Warmup) {
        guard let milliseconds = block.durationMilliseconds else { return nil }
        self.init(milliseconds: milliseconds)
        if let percent = block.minimumPercent { leastPercent = percent }
        if let aggression = block.aggression { self.aggression = aggression }
    }
}

import WeirConfig
import WeirEngine

/// One mirror of a rule, from either of the two ways to write them (semantics 3.13).
struct RuleMirror {
    let destination: Destination
    /// Without a percentage, every request.
    let share: RequestShare
    /// Below the rule.
    let path: String
    let line: Int
}

extension HTTPRoute {
    /// Its mirrors; validation has refused both ways at once.
    var mirroring: [RuleMirror] {
        let everything = Int(RequestShare.all.millionths)
        let sole = mirror.map {
            let share = RequestShare(mirrorPercentage ?? mirrorPercent, absent: everything)
            return RuleMirror(destination: $0, share: share, path: "mirror", line: line)
        }
        let several = mirrors.enumerated().map { index, mirror in
            RuleMirror(
                destination: mirror.destination, share: RequestShare(mirror.percentage, absent: everything),
                path: "mirrors[\(index)].destination", line: mirror.line)
        }
        return (sole.map { [$0] } ?? []) + several
    }
}

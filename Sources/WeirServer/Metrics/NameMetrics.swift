import WeirEngine
import WeirSources

extension NameStatistics {
    /// The metrics of DNS.
    func write(into text: inout MetricText) {
        text.family(
            "weir_dns_names", .gauge,
            "Names of endpoints; state stale: lookups fail and earlier addresses are used on, unresolved: none is known."
        )
        text.sample("weir_dns_names", [("state", "resolved")], Double(resolved))
        text.sample("weir_dns_names", [("state", "stale")], Double(stale))
        text.sample("weir_dns_names", [("state", "unresolved")], Double(max(names - resolved - stale, 0)))
        text.family(
            "weir_dns_lookups_total", .counter,
            "Lookups of one name in one address family; result empty: there is no address, failure: no usable answer came."
        )
        text.sample("weir_dns_lookups_total", [("result", "success")], Double(found))
        text.sample("weir_dns_lookups_total", [("result", "empty")], Double(none))
        text.sample("weir_dns_lookups_total", [("result", "failure")], Double(failed))
        if let lastAnswerSeconds {
            text.single(
                "weir_dns_last_answer_timestamp_seconds", .gauge,
                "When a name server last answered, in seconds since 1970.", lastAnswerSeconds)
        }
    }
}

/// Power of two choices: two endpoints drawn by weight, the one with fewer requests in flight wins.
///
/// Istio's default (LEAST_REQUEST). With equal weights this is Envoy's algorithm; with unequal ones the draw itself is
/// weighted, so that an idle cluster is loaded in proportion to its weights.
enum LeastRequest {
    static func pick(
        _ endpoints: borrowing EndpointList, _ table: borrowing WeightTable, _ random: inout FastRandom
    ) -> Int {
        let first = table.pick(&random)
        let second = table.pick(&random)
        return endpoints.active(second) < endpoints.active(first) ? second : first
    }
}

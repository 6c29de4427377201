/// Power of two choices: two endpoints drawn by weight, the one with fewer requests in flight wins.
///
/// Istio's default (LEAST_REQUEST). With equal weights this is Envoy's algorithm; with unequal ones the draw itself is
/// weighted, so that an idle cluster is loaded in proportion to its weights.
struct LeastRequest {
    private let table: WeightTable

    init(weights: [UInt32]) { table = WeightTable(weights) }

    func pick(_ endpoints: borrowing [Endpoint], _ random: inout FastRandom) -> Int {
        let first = table.pick(&random)
        let second = table.pick(&random)
        return endpoints[second].active < endpoints[first].active ? second : first
    }
}

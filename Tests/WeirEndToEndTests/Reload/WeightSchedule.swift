/// The edits of a load test: in every generation the weights are others, and a tenth of the requests goes to a backend
/// that belongs to this generation alone, so that a client can tell who routed it.
///
/// All backends are one origin on several loopback addresses: 127.0.1.1 is v1, 127.0.1.2 is v2, 127.1.0.N marks
/// generation N.
struct WeightSchedule {
    static let v1: UInt32 = 0x7F00_0101
    static let v2: UInt32 = 0x7F00_0102

    /// Edits after the first version, which is number 0.
    let changes: Int
    let originPort: Int

    /// The generation a backend marks; `nil` for v1 and v2.
    static func generation(markedBy backend: UInt32) -> Int? {
        backend >> 16 == 0x7F01 ? Int(backend & 0xFFFF) : nil
    }

    /// What stays the same.
    var frame: String {
        let markers = (0...changes).map {
            Documents.Endpoint(address: "127.1.0.\($0)", port: originPort, labels: "version: g\($0)")
        }
        let versions = ["127.0.1.1", "127.0.1.2"].enumerated().map {
            Documents.Endpoint(address: $1, port: originPort, labels: "version: v\($0 + 1)")
        }
        return [
            Documents.gateway(),
            Documents.destinationRule("shop", versions: ["v1", "v2"] + (0...changes).map { "g\($0)" }),
            Documents.serviceEntry("shop", endpoints: versions + markers),
        ].asFile
    }

    /// The share of v1 in percent; 0 in the last generation.
    func weight(ofV1 generation: Int) -> Int { generation == changes ? 0 : (generation * 37 + 45) % 91 }

    func virtualService(_ generation: Int) -> String {
        let v1 = weight(ofV1: generation)
        return Documents.virtualService(
            http: """
                - route:
                  - {destination: {host: shop, subset: v1}, weight: \(v1)}
                  - {destination: {host: shop, subset: v2}, weight: \(90 - v1)}
                  - {destination: {host: shop, subset: g\(generation)}, weight: 10}
                """)
    }
}

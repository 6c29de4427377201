/// One address of a cluster, alive in one worker: its connections and how many requests it is serving.
final class Endpoint {
    let pool: ConnectionPool
    var weight: UInt32
    /// Requests of this worker in flight.
    var active = 0

    init(pool: ConnectionPool, weight: UInt32) {
        self.pool = pool
        self.weight = weight
    }
}

extension EndpointAddress: Hashable {
    func hash(into hasher: inout Hasher) {
        withSockAddr { address, length in
            hasher.combine(bytes: UnsafeRawBufferPointer(start: address, count: Int(length)))
        }
    }
}

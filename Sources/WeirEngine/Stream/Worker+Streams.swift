/// Connections whose bytes pass through as they are.
extension Worker {
    /// Where they go that come in here; `nil` for a port of HTTP.
    func streamPlan(_ slot: Int) -> StreamPlan? { listenerPlan(slot)?._withUnsafeGuaranteedRef { $0.stream } }

    /// Serves one just accepted.
    func serve(_ plan: StreamPlan, _ descriptor: Int32, _ downstream: DownstreamInfo, _ permits: ListenerPermits?) {
        let connection = HandledConnection<StreamSide>(loop: loop, accepted: descriptor)
        connection.permits = permits
        StreamConnection(host: self, connection: connection, downstream: downstream)
            .begin(plan, serverName: UnsafeRawBufferPointer(start: nil, count: 0))
    }
}

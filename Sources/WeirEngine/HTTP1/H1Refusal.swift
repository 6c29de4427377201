extension Connection {
    /// Queues the answer to a request that is refused; returns how many bytes its head and its body have.
    func writeRefusal(_ error: H1Error, host: ServerHost) -> (head: Int, body: Int) {
        let head = host.takeResponseHead()
        defer { host.recycle(head) }
        let body = LocalReply.reason(error)
        LocalReply.fill(head, status: error.status, body: body, host: host)
        let headBytes = write(bound: H1Serializer.responseBound(head)) {
            H1Serializer.writeResponse(head, framing: head.framing, close: true, into: $0)
        }
        write(copying: body)
        return (headBytes, body.count)
    }
}

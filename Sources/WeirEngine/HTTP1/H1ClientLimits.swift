/// What an endpoint's HTTP/1.1 connection may do to a request.
enum H1ClientLimits {
    /// Informational heads in front of one answer; an endpoint that sends more is taken for broken.
    static let interimHeads = 100
}

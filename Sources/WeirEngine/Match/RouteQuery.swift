/// What routing reads of a request: filled once by the exchange, then passed by pointer.
///
/// Borrows the request head's bytes.
struct RouteQuery {
    var method: UnsafeRawBufferPointer
    /// Normalised, without the query.
    var path: UnsafeRawBufferPointer
    /// Behind the `?`, undecoded; empty when there is none.
    var query: UnsafeRawBufferPointer
    /// As received: port and case kept.
    var authority: UnsafeRawBufferPointer
    var scheme: Scheme
    /// Index of the worker that asks: it has regex programs of its own.
    var worker: Int
    /// All lines received.
    ///
    /// Lines marked `removed` count: a hop-by-hop header can be matched on too.
    var fields: UnsafePointer<HeaderField>
    var fieldCount: Int
}

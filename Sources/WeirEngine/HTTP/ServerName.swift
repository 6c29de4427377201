/// The `server` response header: overwritten with a name, as Istio's gateway does with its own, or the upstream's passed on.
final class ServerName {
    /// Written on our own answers when the upstream's header is otherwise passed on.
    private static let own = "weir"

    private let name: UnsafeMutableBufferPointer<UInt8>
    private let overwrites: Bool

    /// `nil` passes the upstream's header on.
    init(_ name: String?) {
        let bytes = Array((name ?? Self.own).utf8)
        self.name = .allocate(capacity: bytes.count)
        _ = self.name.initialize(fromContentsOf: bytes)
        overwrites = name != nil
    }

    deinit { name.deallocate() }

    /// The bytes are borrowed: the block must not outlive this object.
    func stamp(_ block: inout HeaderBlock, isLocal: Bool) {
        guard overwrites || isLocal, let start = name.baseAddress else { return }
        block.remove(.server)
        block.append(.server, "server", UnsafePointer(start), name.count)
    }
}

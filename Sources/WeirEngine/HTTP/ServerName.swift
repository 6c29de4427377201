/// The `server` response header: overwritten with a name, as Istio's gateway does with its own, or the upstream's passed on.
struct ServerName {
    /// Written on our own answers when the upstream's header is otherwise passed on.
    private static let own: [UInt8] = Array("weir".utf8)

    private let name: UnsafeMutableBufferPointer<UInt8>
    private let overwrites: Bool

    /// `nil` passes the upstream's header on. The name lives as long as the process.
    init(_ name: String?) {
        let bytes = name.map { Array($0.utf8) } ?? Self.own
        self.name = .allocate(capacity: bytes.count)
        _ = self.name.initialize(fromContentsOf: bytes)
        overwrites = name != nil
    }

    func stamp(_ block: inout HeaderBlock, isLocal: Bool) {
        guard overwrites || isLocal, let start = name.baseAddress else { return }
        block.remove(.server)
        block.append(.server, "server", UnsafePointer(start), name.count)
    }
}

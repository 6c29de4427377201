import Glibc

/// Proxies in front of the gateway.
package enum TrustedHops {
    /// The most that can be trusted.
    package static let most = 100
}

/// Who a request is from where proxies in front of the gateway are trusted to say so (`--trusted-hops`; Istio's
/// `gatewayTopology.numTrustedProxies`; semantics 6.1).
///
/// With N trusted hops the client is the N-th address from the right of `x-forwarded-for` as it came: each of those proxies
/// has added the address it was asked from. Where that is no address, the peer is taken. Kept by an exchange from one request
/// to the next; loop thread only.
final class TrustedClient {
    private let hops: Int
    /// `nil` = the connection's peer.
    private(set) var address: EndpointAddress?
    /// Of the client's own connection to the proxy furthest away; `nil` = this connection's.
    private var scheme: Scheme?
    private var text: LogAddressText?
    /// `text` is that of an earlier request.
    private var isTextStale = true
    /// See `corrected`.
    private let place = UnsafeMutablePointer<DownstreamInfo>.allocate(capacity: 1)

    init(hops: Int) { self.hops = hops }

    deinit { place.deallocate() }

    /// Looks at the head of a request before the gateway changes it.
    func read(_ head: RequestHead) {
        address = Self.address(in: head.block, hops: hops)
        scheme = Self.scheme(in: head.block)
        isTextStale = true
    }

    /// What an exchange may know of the connection, corrected; valid until the next call.
    func corrected(_ connection: UnsafePointer<DownstreamInfo>) -> UnsafePointer<DownstreamInfo> {
        var downstream = connection.pointee
        correct(&downstream)
        // Trivial, so there is nothing to end first.
        place.initialize(to: downstream)
        return UnsafePointer(place)
    }

    private func correct(_ downstream: inout DownstreamInfo) {
        if let scheme { downstream.scheme = scheme }
        guard let address else { return }
        downstream.peer = address
        guard let remote = downstream.remote else { return }
        if downstream.direct == nil { downstream.direct = remote }
        downstream.remote = addressText
    }

    /// The client's address for logs, with port 0, as nobody says which it had; valid until the next request is read.
    var addressText: LogAddress? {
        guard let address else { return nil }
        if isTextStale {
            // Reuses the memory that an earlier request needed.
            if text == nil { text = LogAddressText(reusedFor: address) } else { text?.set(address) }
            isTextStale = false
        }
        return text?.address
    }

    // MARK: x-forwarded-for

    private static func address(in block: borrowing HeaderBlock, hops: Int) -> EndpointAddress? {
        var left = hops
        for index in stride(from: block.count - 1, through: 0, by: -1) {
            let field = block.fields[index]
            guard field.token == .xForwardedFor, !field.removed, field.valueLength > 0 else { continue }
            if let found = element(field.valueBytes, fromRight: &left) { return parse(found) }
        }
        return nil
    }

    /// The element of a list that so many lie behind, itself counted; lowers the count by what the list has.
    private static func element(_ list: UnsafeRawBufferPointer, fromRight left: inout Int) -> UnsafeRawBufferPointer? {
        var end = list.count
        while true {
            let start = (list[..<end].lastIndex(of: ASCII.comma) ?? -1) + 1
            left -= 1
            if left == 0 { return UnsafeRawBufferPointer(rebasing: list[start..<end]) }
            if start == 0 { return nil }
            end = start - 1
        }
    }

    /// An IP address without a port; spaces around it do not count.
    private static func parse(_ element: UnsafeRawBufferPointer) -> EndpointAddress? {
        let isSpace = { (byte: UInt8) in byte == ASCII.space || byte == ASCII.tab }
        var trimmed = element[...]
        while let first = trimmed.first, isSpace(first) { trimmed.removeFirst() }
        while let last = trimmed.last, isSpace(last) { trimmed.removeLast() }
        guard !trimmed.isEmpty, trimmed.count < SocketAddress.maxHostText else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: SocketAddress.maxHostText) { room in
            for (place, byte) in trimmed.enumerated() { room[place] = CChar(bitPattern: byte) }
            room[trimmed.count] = 0
            guard let text = room.baseAddress else { return nil }
            return EndpointAddress(numeric: text)
        }
    }

    // MARK: x-forwarded-proto

    /// `http` or `https`, named once.
    private static func scheme(in block: borrowing HeaderBlock) -> Scheme? {
        var found: Scheme?
        for index in 0..<block.count {
            let field = block.fields[index]
            guard field.token == .xForwardedProto, !field.removed, field.valueLength > 0 else { continue }
            guard found == nil else { return nil }
            if isCaseless(field, "https") {
                found = .https
            } else if isCaseless(field, "http") {
                found = .http
            } else {
                return nil
            }
        }
        return found
    }

    private static func isCaseless(_ field: HeaderField, _ text: StaticString) -> Bool {
        let bytes = field.valueBytes
        guard bytes.count == text.utf8CodeUnitCount, let start = bytes.baseAddress else { return false }
        return ASCII.equalsCaseless(start.assumingMemoryBound(to: UInt8.self), count: bytes.count, text)
    }
}

import Glibc

/// Which PROXY protocol header begins a connection to an endpoint (Istio: `proxyProtocol.version`).
package enum ProxyHeaderVersion: Sendable, Hashable {
    case v1
    case v2
}

/// The two ends of a client's connection, as an endpoint is told of them.
struct ProxiedEnds: Equatable {
    var client: EndpointAddress
    /// The one that the client has connected to.
    var own: EndpointAddress

    /// Nobody knows: the address of clients that have none.
    static let unknown = ProxiedEnds(
        client: EndpointAddress(.ipv4(0), port: 0), own: EndpointAddress(.ipv4(0), port: 0))

    func hash(seed: UInt64) -> UInt64 { own.hash(seed: client.hash(seed: seed)) }
}

/// Writes PROXY protocol headers (haproxy.org's proxy-protocol.txt, sections 2.1 and 2.2).
enum ProxyHeaderWriter {
    /// Longest header of either version.
    static let maxBytes = ProxyHeaderReader.maxV1Bytes

    /// Writes the header for a client, and returns its length.
    ///
    /// `out` has room for `maxBytes`.
    ///
    /// Where only one end is IPv4, it is written as the IPv6 address that stands for it. An end without an IP address, as of
    /// a unix socket, makes the client unknown.
    static func write(_ ends: ProxiedEnds, _ version: ProxyHeaderVersion, into out: UnsafeMutablePointer<UInt8>) -> Int
    {
        var writer = ByteWriter(out)
        switch version {
        case .v1: writeV1(ends, &writer)
        case .v2: writeV2(ends, &writer)
        }
        return writer.count
    }

    private static func writeV1(_ ends: ProxiedEnds, _ out: inout ByteWriter) {
        guard ends.haveAddresses else { return out.put("PROXY UNKNOWN\r\n") }
        out.put(ends.areIPv4 ? "PROXY TCP4 " : "PROXY TCP6 ")
        out.put(host: ends.client, mapped: !ends.areIPv4)
        out.put(" ")
        out.put(host: ends.own, mapped: !ends.areIPv4)
        out.put(" ")
        out.put(number: ends.client.port)
        out.put(" ")
        out.put(number: ends.own.port)
        out.put("\r\n")
    }

    private static func writeV2(_ ends: ProxiedEnds, _ out: inout ByteWriter) {
        for byte in ProxyHeaderReader.v2Signature { out.put(byte) }
        // LOCAL says that the connection is the proxy's own: nobody is named.
        guard ends.haveAddresses else { return out.put(bytes: [0x20, 0, 0, 0]) }
        out.put(bytes: ends.areIPv4 ? [0x21, 0x11, 0, 12] : [0x21, 0x21, 0, 36])
        out.put(address: ends.client, mapped: !ends.areIPv4)
        out.put(address: ends.own, mapped: !ends.areIPv4)
        out.put(big: ends.client.port)
        out.put(big: ends.own.port)
    }
}

extension ProxiedEnds {
    fileprivate var haveAddresses: Bool {
        client.family != .unix && own.family != .unix && client != Self.unknown.client
    }
    fileprivate var areIPv4: Bool { client.family == .ipv4 && own.family == .ipv4 }
}

/// Puts bytes one after the other into room that is known to suffice.
private struct ByteWriter {
    private let start: UnsafeMutablePointer<UInt8>
    private(set) var count = 0

    init(_ start: UnsafeMutablePointer<UInt8>) { self.start = start }

    mutating func put(_ byte: UInt8) {
        start[count] = byte
        count += 1
    }

    mutating func put(bytes: [UInt8]) { for byte in bytes { put(byte) } }

    mutating func put(_ text: StaticString) {
        memcpy(start + count, text.utf8Start, text.utf8CodeUnitCount)
        count += text.utf8CodeUnitCount
    }

    mutating func put(number: UInt16) { count += ASCII.writeDecimal(UInt64(number), into: start + count) }

    mutating func put(big number: UInt16) {
        put(UInt8(number >> 8))
        put(UInt8(number & 255))
    }

    mutating func put(host: EndpointAddress, mapped: Bool) {
        if mapped, host.family == .ipv4 { put("::ffff:") }
        count += host.writeHost(into: start + count)
    }

    mutating func put(address: EndpointAddress, mapped: Bool) {
        if mapped, address.family == .ipv4 { put(bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) }
        count += address.writeBytes(into: start + count)
    }
}

/// The beginning of a connection to an endpoint that wants to know who the client is: sends the header, then the layer
/// behind goes on, or the bytes as they are.
///
/// Loop thread only.
final class ProxyHeaderSender: TransportLayer {
    private let header: [UInt8]
    private var sent = 0
    private let next: TransportLayer?

    /// `next`: what the bytes behind the header are in, such as TLS; `nil` = nothing.
    init(_ ends: ProxiedEnds, _ version: ProxyHeaderVersion, next: TransportLayer?) {
        self.next = next
        header = [UInt8](unsafeUninitializedCapacity: ProxyHeaderWriter.maxBytes) { room, count in
            count = room.baseAddress.map { ProxyHeaderWriter.write(ends, version, into: $0) } ?? 0
        }
    }

    override var needsHandshake: Bool { true }
    override var successor: TransportLayer? { next }
    override var failureText: [UInt8] { next?.failureText ?? [] }

    override func handshake(_ fd: Int32) -> HandshakeResult {
        while sent < header.count {
            let result = header.withUnsafeBytes { bytes in
                var vector = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress).map { $0 + sent },
                    iov_len: bytes.count - sent)
                return Socket.send(fd, &vector, count: 1)
            }
            switch result {
            case .done(let length): sent += length
            case .wantRead, .wantWrite: return .wantWrite
            case .end: return .failed(EPIPE)
            case .failed(let code): return .failed(code)
            }
        }
        return .done
    }
}

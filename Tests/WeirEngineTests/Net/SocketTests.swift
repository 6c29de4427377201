import Glibc
import Testing

@testable import WeirEngine

@Suite struct SocketTests {
    /// Linux tells a listener's backlog where a connection has its count of acknowledged segments.
    @Test func theKernelHoldsAsManyConnectionsAsItMay() throws {
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
        let listener = try Socket.listen(address, shared: false)
        defer { Socket.close(listener) }
        var info = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        #expect(getsockopt(listener, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0)
        var most = 0
        let file = try #require(fopen("/proc/sys/net/core/somaxconn", "re"))
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 32)
        if fgets(&line, Int32(line.count), file) != nil { most = atoi(line).magnitude == 0 ? 0 : Int(atoi(line)) }
        #expect(Int(info.tcpi_sacked) == min(4096, most))
    }
}

import CWeir
import Glibc

/// How the system finds out that a silent peer has gone; what is `nil` is as the system has it.
package struct SocketKeepAlive: Sendable, Hashable {
    // What the system takes at most.
    static let maxProbes = 127
    static let maxSeconds = 32_767

    /// Questions without an answer.
    package var probes: Int?
    /// Seconds of silence before the first question.
    package var idleSeconds: Int?
    /// Seconds from one question to the next.
    package var intervalSeconds: Int?

    package init(probes: Int? = nil, idleSeconds: Int? = nil, intervalSeconds: Int? = nil) {
        self.probes = probes
        self.idleSeconds = idleSeconds
        self.intervalSeconds = intervalSeconds
    }
}

extension Socket {
    /// Has the system look whether a silent peer is still there.
    static func setKeepAlive(_ fd: Int32, _ settings: SocketKeepAlive) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        let tcp = Int32(IPPROTO_TCP)
        let seconds = 1...SocketKeepAlive.maxSeconds
        set(fd, tcp, TCP_KEEPCNT, settings.probes, within: 1...SocketKeepAlive.maxProbes)
        set(fd, tcp, TCP_KEEPIDLE, settings.idleSeconds, within: seconds)
        set(fd, tcp, TCP_KEEPINTVL, settings.intervalSeconds, within: seconds)
    }

    private static func set(
        _ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int?, within range: ClosedRange<Int>
    ) {
        guard let value else { return }
        set(fd, level, option, Int32(min(max(value, range.lowerBound), range.upperBound)))
    }

    private static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        // Fails on unix sockets, whose peers cannot be lost sight of.
        setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}

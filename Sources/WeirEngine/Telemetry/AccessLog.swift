import CWeir
import Glibc

/// What the workers and the writer of an access log share: the compiled format and a ring for each worker.
package final class AccessLog: Sendable {
    package let format: AccessLogFormat
    /// By worker.
    package let rings: [AccessLogRing]
    /// Readable when a ring is half full.
    ///
    /// Owned; closed when the log dies.
    package let wakeDescriptor: Int32

    package init(format: AccessLogFormat, workers: Int) throws(SocketError) {
        self.format = format
        var rings: [AccessLogRing] = []
        for _ in 0..<workers { rings.append(try AccessLogRing()) }
        self.rings = rings
        wakeDescriptor = weir_eventfd()
        guard wakeDescriptor >= 0 else { throw SocketError(operation: "eventfd", code: errno) }
    }

    deinit { close(wakeDescriptor) }
}

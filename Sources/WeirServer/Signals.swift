import CWeir
import Glibc
import WeirEngine

/// SIGTERM, SIGINT and SIGHUP as events of the control loop.
///
/// Control thread only.
final class Signals {
    private static let taken = [SIGTERM, SIGINT, SIGHUP]

    private let descriptor: Int32
    private let received: (Int32) -> Void
    private var watch: ControlWatch?

    /// Blocks the signals for this thread and those started from it; call it before any thread is started.
    static func block() {
        signal(SIGPIPE, SIG_IGN)
        var mask = mask()
        pthread_sigmask(SIG_BLOCK, &mask, nil)
    }

    /// `received` is called on the loop with the signal's number.
    init(loop: ControlLoop, received: @escaping (Int32) -> Void) {
        var mask = Self.mask()
        descriptor = weir_signalfd(&mask)
        precondition(descriptor >= 0, "signalfd failed: out of descriptors at start")
        self.received = received
        watch = loop.watch(fd: descriptor) { [unowned self] in read() }
    }

    deinit {
        watch?.cancel()
        close(descriptor)
    }

    private static func mask() -> sigset_t {
        var mask = sigset_t()
        sigemptyset(&mask)
        for number in taken { sigaddset(&mask, number) }
        return mask
    }

    private func read() {
        var info = signalfd_siginfo()
        while Glibc.read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size
        {
            received(Int32(info.ssi_signo))
        }
    }
}

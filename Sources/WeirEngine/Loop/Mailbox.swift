import CWeir
import Glibc

/// The only door into a loop from another thread.
///
/// Everything behind it is confined to the loop's thread.
final class Mailbox<Message: Sendable>: Sendable {
    private let pending = Guarded<[Message]>([])
    /// Readable when messages wait.
    ///
    /// Owned; closed when the mailbox dies.
    let wakeDescriptor: Int32

    init() {
        wakeDescriptor = weir_eventfd()
        precondition(wakeDescriptor >= 0, "eventfd failed: out of descriptors at start")
    }

    deinit { close(wakeDescriptor) }

    /// Any thread.
    ///
    /// One wake-up a batch: only the message that finds the queue empty writes to the eventfd.
    func post(_ message: Message) {
        let wasEmpty = pending.withLock { queue in
            queue.append(message)
            return queue.count == 1
        }
        guard wasEmpty else { return }
        var one: UInt64 = 1
        // Cannot fail for a reason that matters: a full counter means a wake-up is already pending.
        _ = write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Loop thread only: everything posted so far, in order.
    func drain() -> [Message] {
        var counter: UInt64 = 0
        _ = read(wakeDescriptor, &counter, MemoryLayout<UInt64>.size)
        return pending.withLock { queue in
            let batch = queue
            queue = []
            return batch
        }
    }
}

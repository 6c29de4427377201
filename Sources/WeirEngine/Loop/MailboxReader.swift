/// Takes a mailbox's messages on its loop, in the order posted.
final class MailboxReader<Message: Sendable>: LoopSource {
    private let mailbox: Mailbox<Message>
    private let take: (Message) -> Void

    /// `take` must not keep the reader's owner alive.
    init(loop: Loop, mailbox: Mailbox<Message>, take: @escaping (Message) -> Void) {
        self.mailbox = mailbox
        self.take = take
        super.init(loop: loop)
        attach(mailbox.wakeDescriptor)
        startReading()
    }

    override func readReady() {
        for message in mailbox.drain() { take(message) }
        loop.flushDirty()
    }
}

import Glibc
import Logging
import WeirEngine

/// `weir demo`: the real server on real files, three backends and sample traffic in one process.
///
/// The server has the calling thread; the traffic has one of its own.
package struct BookinfoDemo {
    /// Requests of the sample traffic.
    static let requests = 1000
    static let usualPort = 8080
    static let usualAdminPort = 15000
    /// Microseconds between two drawings on a terminal, so that the split is seen growing.
    private static let frameMicroseconds: UInt32 = 60_000

    private let once: Bool
    private let port: Int?

    /// With `once` the demo ends after the sample traffic.
    ///
    /// A `port` that is given is not exchanged for a free one.
    package init(once: Bool, port: Int?) {
        self.once = once
        self.port = port
    }

    /// Returns when it was asked to end, or after the sample traffic.
    package func run() -> ExitStatus {
        Signals.block()
        guard let port = port ?? FreePort.near(Self.usualPort) else { return failed("no free port") }
        let backends: ReviewsBackends
        do {
            backends = try ReviewsBackends()
        } catch {
            return failed("\(error)")
        }
        backends.start()
        defer { backends.stop() }
        do {
            let configuration = try DemoConfiguration(port: port, backendPorts: backends.ports)
            defer { configuration.remove() }
            introduce(configuration)
            return serve(configuration.directory, port: port, backends: backends)
        } catch {
            return failed("\(error)")
        }
    }

    private func failed(_ reason: String) -> ExitStatus {
        Logger(level: .info).error("the demo cannot start: \(reason)")
        return .failure
    }

    private func introduce(_ configuration: DemoConfiguration) {
        for file in configuration.files { Screen.show("# \(file.name)\n\(file.text)---") }
        Screen.show("\nThis configuration is in \(configuration.directory); edit it there while the demo runs.")
    }

    private func serve(_ directory: String, port: Int, backends: ReviewsBackends) -> ExitStatus {
        var options = ServerOptions(configPaths: [directory])
        options.admin.port = FreePort.near(Self.usualAdminPort) ?? 0
        options.health = nil
        options.metrics = nil
        options.drainSeconds = 2
        options.logLevel = .warning
        let session = DemoSession(port: port, once: once, backends: backends)
        var hooks = ServerHooks()
        hooks.adminListening = { session.adminListening($0) }
        hooks.live = { session.live($0) }
        let server = Bootstrap(options: options, hooks: hooks)
        session.begin(server.handle)
        let status = server.run()
        return status == .success ? session.verdict : status
    }

    /// What runs beside the server.
    private final class DemoSession: Sendable {
        private struct State {
            var admin = HostPort(host: "127.0.0.1", port: BookinfoDemo.usualAdminPort)
            var handle: ServerHandle?
            var isStarted = false
            var verdict = ExitStatus.success
        }

        private let port: Int
        private let once: Bool
        private let backends: ReviewsBackends
        private let state = Guarded(State())

        init(port: Int, once: Bool, backends: ReviewsBackends) {
            self.port = port
            self.once = once
            self.backends = backends
        }

        var verdict: ExitStatus { state.withLock { $0.verdict } }

        func begin(_ handle: ServerHandle) { state.withLock { $0.handle = handle } }
        func adminListening(_ address: HostPort) { state.withLock { $0.admin = address } }

        /// Control thread: the first generation starts the traffic, later ones are the user's edits.
        func live(_ generation: UInt64) {
            let isFirst = state.withLock { state in
                defer { state.isStarted = true }
                return !state.isStarted
            }
            if isFirst {
                BackgroundThread.start { self.play() }
            } else {
                Screen.show("The edited configuration is live (generation \(generation)).")
            }
        }

        private func play() {
            Screen.show("\nSending \(BookinfoDemo.requests) requests to http://127.0.0.1:\(port)/reviews/0\n")
            var isFirst = true
            let step = BookinfoDemo.requests / (Screen.isTerminal ? 20 : 4)
            let tally = SampleTraffic(port: port).send(BookinfoDemo.requests, step: step) { tally in
                Screen.redraw(SplitChart.bars(tally), over: !isFirst)
                isFirst = false
                if Screen.isTerminal { usleep(BookinfoDemo.frameMicroseconds) }
            }
            Screen.show("\n" + SplitChart.table(tally).joined(separator: "\n") + "\n")
            if once { return finish(tally) }
            explain()
            showOnDemand()
        }

        private func finish(_ tally: TrafficTally) {
            if !tally.isAsConfigured { Screen.show("The split is not as configured.") }
            state.withLock {
                $0.verdict = tally.isAsConfigured ? .success : .failure
                $0.handle?.stop()
            }
        }

        private func explain() {
            let admin = state.withLock { $0.admin }
            Screen.show(
                """
                Serving until Ctrl-C. Try:
                  curl -i http://127.0.0.1:\(port)/reviews/0
                  curl http://\(admin)/status
                  curl http://\(admin)/config_dump
                Press Enter for the split so far.
                """)
        }

        /// Waits for lines on standard input; ends with it.
        private func showOnDemand() {
            while Screen.awaitLine() {
                var tally = TrafficTally()
                tally.counts = backends.counts
                Screen.show(SplitChart.bars(tally).joined(separator: "\n"))
            }
        }
    }
}

/// Standard input and output of a command people look at.
///
/// Not through stdio, whose locks a waiting reader would hold.
enum Screen {
    static let isTerminal = isatty(STDOUT_FILENO) == 1

    static func show(_ text: String) { StandardStreams.print(text + "\n") }

    /// On a terminal the lines replace those drawn last; elsewhere they follow, with an empty line between.
    static func redraw(_ lines: [String], over: Bool) {
        let lead = !over ? "" : isTerminal ? "\u{1B}[\(lines.count)F" : "\n"
        show(lead + lines.joined(separator: "\n"))
    }

    /// Waits for a line; `false` when there will be none.
    static func awaitLine() -> Bool {
        var byte: UInt8 = 0
        while read(STDIN_FILENO, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return true }
        }
        return false
    }
}

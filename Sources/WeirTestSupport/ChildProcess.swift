import Foundation
import Glibc

/// A program that a test starts and ends; only this one process is ever signalled.
package final class ChildProcess: Sendable {
    private let process: pid_t
    private let files: TemporaryDirectory
    private let reaped = TestSignal()

    /// A program in the directory of the running test's own, which is where everything is built to.
    package static func built(_ name: String) -> String {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: name).path
    }

    /// Starts a program with this environment's variables and an empty standard input.
    ///
    /// Under AddressSanitizer it is not asked for leaks, whose report would change its exit status: a process that
    /// ends need not free what it holds.
    package init(_ program: String, _ arguments: [String]) throws {
        files = try TemporaryDirectory()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        for (descriptor, name) in [(STDOUT_FILENO, "out"), (STDERR_FILENO, "err")] {
            let path = files.path(name)
            posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        }
        // As from a shell: nothing blocked, nothing ignored, whatever the test's process does with signals.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let inherited = ProcessInfo.processInfo.environment
        let variables = ["ASAN_OPTIONS": "detect_leaks=0"].merging(inherited) { $1 }
        var environment = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for variable in environment { free(variable) } }
        var process: pid_t = 0
        let status = posix_spawn(&process, program, &actions, &attributes, &words, &environment)
        guard status == 0 else {
            throw TestSocketError(description: "\(program): \(String(cString: strerror(status)))")
        }
        self.process = process
    }

    deinit {
        guard !reaped.isRaised else { return }
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    package var id: Int32 { process }
    package var output: String { text("out") }
    package var errors: String { text("err") }

    private func text(_ name: String) -> String {
        // A program may repeat bytes that are no text.
        (try? Data(contentsOf: URL(fileURLWithPath: files.path(name)))).map { String(decoding: $0, as: UTF8.self) }
            ?? ""
    }

    package func signal(_ number: Int32) {
        if !reaped.isRaised { kill(process, number) }
    }

    /// The exit status once it has ended, `nil` before; minus the signal's number if one ended it.
    ///
    /// One thread, and only until it has told a status.
    package func exitStatus() -> Int32? {
        var status: Int32 = 0
        guard !reaped.isRaised, waitpid(process, &status, WNOHANG) == process else { return nil }
        reaped.raise()
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : -signal
    }

    /// Waits for the end.
    package func end(seconds: Double = 30) throws -> Int32 {
        var status: Int32?
        try eventually("the program ends; it said:\n\(errors)", seconds: seconds) {
            status = exitStatus()
            return status != nil
        }
        return status ?? -1
    }
}

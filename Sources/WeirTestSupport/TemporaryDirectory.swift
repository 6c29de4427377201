import Foundation
import Glibc
import Synchronization

/// A directory of a test's own, gone with the object, or with the process where the object outlives the tests.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// Below `$TMPDIR` or `/tmp`.
    package init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/weir-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Self.failure(parent) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        _ = Self.removesRestAtExit
        _ = Self.live.withLock { $0.insert(path) }
    }

    deinit {
        // Left behind at worst.
        try? FileManager.default.removeItem(atPath: path)
        _ = Self.live.withLock { $0.remove(path) }
    }

    private static let live = Mutex<Set<String>>([])
    private static let removesRestAtExit: Void = {
        atexit {
            for path in TemporaryDirectory.live.withLock({ $0 }) {
                try? FileManager.default.removeItem(atPath: path)
            }
        }
    }()

    package func path(_ name: String) -> String { path + "/" + name }

    /// Writes in place: the file is empty for a moment.
    package func write(_ name: String, _ text: String) throws {
        let bytes = Array(text.utf8)
        guard let file = fopen(path(name), "we") else { throw Self.failure(path(name)) }
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw Self.failure(path(name)) }
    }

    /// Writes beside and moves into place, as editors and deployment tools do: nobody sees half a file.
    package func replace(_ name: String, _ text: String) throws {
        try write(".\(name).new", text)
        try rename(".\(name).new", to: name)
    }

    package func rename(_ name: String, to other: String) throws {
        guard Glibc.rename(path(name), path(other)) == 0 else { throw Self.failure(path(name)) }
    }

    package func remove(_ name: String) throws {
        guard Glibc.remove(path(name)) == 0 else { throw Self.failure(path(name)) }
    }

    package func makeDirectory(_ name: String) throws {
        guard mkdir(path(name), 0o755) == 0 else { throw Self.failure(path(name)) }
    }

    /// A symbolic link with this text as its target.
    package func link(_ name: String, to target: String) throws {
        guard symlink(target, path(name)) == 0 else { throw Self.failure(path(name)) }
    }

    private static func failure(_ path: String) -> TestSocketError {
        TestSocketError(description: "\(path): \(String(cString: strerror(errno)))")
    }
}

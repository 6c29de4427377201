import Glibc
import WeirConfig
import WeirEngine

@testable import WeirSources

/// A directory of a test's own; gone with the object.
final class TestDirectory {
    let path: String

    init() {
        var template = Array("/tmp/weir-test.XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no directory for a test")
        // Resolved, so that it compares with what the survey finds.
        path =
            LinkTrail(following: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)).end
    }

    deinit { Self.remove(path) }

    static func remove(_ path: String) {
        if let stream = opendir(path) {
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                let place = path + "/" + name
                if entry.pointee.d_type == UInt8(DT_DIR) { remove(place) } else { unlink(place) }
            }
            closedir(stream)
        }
        rmdir(path)
    }

    func place(_ name: String) -> String { path + "/" + name }

    /// Opens, truncates, writes, closes: what a shell's `>` does.
    func write(_ name: String, _ text: String) {
        let writer = open(name)
        writer.write(text)
        writer.close()
    }

    /// Writes beside the file and renames over it: what an editor does.
    func replace(_ name: String, _ text: String) {
        write(".new", text)
        precondition(rename(place(".new"), place(name)) == 0)
    }

    /// Truncates the file and leaves it open.
    func open(_ name: String) -> Writer {
        Writer(descriptor: Glibc.open(place(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644))
    }

    func makeDirectory(_ name: String) { precondition(mkdir(place(name), 0o755) == 0) }
    func remove(_ name: String) { precondition(unlink(place(name)) == 0) }

    func link(_ name: String, to target: String) { precondition(symlink(target, place(name)) == 0) }

    /// Puts a link in another's place, as a ConfigMap volume does.
    func swapLink(_ name: String, to target: String) {
        link(".link", to: target)
        precondition(rename(place(".link"), place(name)) == 0)
    }

    struct Writer {
        let descriptor: Int32

        func write(_ text: String) {
            let bytes = Array(text.utf8)
            precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        }

        func close() { Glibc.close(descriptor) }
    }
}

/// A store over paths below a directory, with a loop that runs only while a test waits.
final class StoreFixture {
    /// Seconds after which a test that waits has failed.
    static let deadlineSeconds = 15.0

    let directory = TestDirectory()
    let loop = ControlLoop()
    private(set) var source: FileSource
    private(set) var store: ResourceStore
    private(set) var deliveries: [Delivery] = []

    init(
        limits: FileLimits = FileLimits(), paths: [String] = [""],
        writerLimitSeconds: Double = FileSource.writerLimitSeconds,
        _ prepare: (TestDirectory) -> Void
    ) {
        prepare(directory)
        let places = paths.map { [directory] in $0.isEmpty ? directory.path : directory.place($0) }
        source = FileSource(paths: places, loop: loop, limits: limits, writerLimitSeconds: writerLimitSeconds)
        store = ResourceStore(loop: loop, sources: [source])
        store.start { [unowned self] delivery in
            deliveries.append(delivery)
            loop.handle.stop()
        }
    }

    deinit { store.stop() }

    /// What is in force.
    var last: Delivery { deliveries[deliveries.count - 1] }

    /// Runs the loop until a delivery is as wanted; `false` when none was in time.
    func sees(_ condition: (Delivery) -> Bool) -> Bool {
        var isLate = false
        let limit = loop.schedule(after: Self.deadlineSeconds) { [loop] in
            isLate = true
            loop.handle.stop()
        }
        defer { limit.cancel() }
        while !condition(last) {
            if isLate { return false }
            loop.run()
        }
        return true
    }

    /// Makes a change of its own and waits until it is seen: whatever happened before has been looked at then.
    func awaitMark(_ name: String) -> Bool {
        directory.replace("mark-\(name).yaml", Document.rule("mark-\(name)"))
        return sees { $0.names.contains("mark-\(name)") }
    }
}

extension Delivery {
    var all: [Resource] { Kind.allCases.flatMap { resources.resources(of: $0) } }
    var names: [String] { all.map(\.id.name).sorted() }

    /// The host of a DestinationRule: what the tests change.
    func host(_ name: String) -> String? {
        let id = ResourceID(kind: .destinationRule, namespace: "default", name: name)
        guard case .destinationRule(let rule) = resources[id]?.spec else { return nil }
        return rule.host
    }

    func resource(_ name: String) -> Resource? { all.first { $0.id.name == name } }
    func diagnostics(_ code: DiagnosticCode) -> [Diagnostic] { diagnostics.filter { $0.code == code } }
}

/// YAML of the tests.
enum Document {
    static func rule(_ name: String, host: String = "reviews") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata:
          name: \(name)
        spec:
          host: \(host)

        """
    }

    /// Names its resource, which is refused: the wrong line is the fifth.
    static func refused(_ name: String) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: \(name)}
        spec:
          host: [1, 2]

        """
    }

    static let noYAML = "apiVersion: [unclosed\nkind: {\n"

    static func other(_ kind: String, _ name: String) -> String {
        "apiVersion: apps/v1\nkind: \(kind)\nmetadata:\n  name: \(name)\n"
    }

    static func joined(_ documents: String...) -> String { documents.joined(separator: "---\n") }
}

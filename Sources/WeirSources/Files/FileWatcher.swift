private import CWeir
import Glibc
package import WeirEngine

/// Something happened to an entry of a watched directory.
package struct FileEvent: Sendable, Hashable {
    package enum Change: Sendable, Hashable {
        /// A writer closed it: its content is whole.
        case written
        /// Moved here: an editor's save or a ConfigMap's swap.
        case movedHere
        /// Created: complete only if it is a link or a directory.
        case created
        /// Deleted or moved away.
        case gone
        /// Its permissions changed.
        case attributes
    }

    package var directory: String
    package var name: String
    package var change: Change

    /// The entry's path.
    package var place: String { directory == "/" ? "/" + name : directory + "/" + name }
}

/// What a `FileWatcher` tells.
package enum WatchReport: Sendable, Hashable {
    case event(FileEvent)
    /// A watched directory was deleted or moved: look at everything again.
    case directoryGone(String)
    /// Events were lost: look at everything again.
    case overflow
}

/// The inotify fence: watches directories rather than files, so that saves by rename and link swaps are seen.
///
/// Control thread only. Says nothing about a file being modified, only when its writer has closed it.
package final class FileWatcher {
    /// A directory that is not watched, and why.
    package struct Failure: Sendable, Hashable {
        package var directory: String
        package var message: String
    }

    /// Bytes for one read: some hundred events.
    private static let bufferBytes = 65536

    private let descriptor: Int32
    private let report: (WatchReport) -> Void
    private var watch: ControlWatch?
    private var directories: [Int32: String] = [:]
    private var descriptors: [String: Int32] = [:]

    /// Fails with the reason when the system gives no inotify instance.
    ///
    /// `report` is called on the loop.
    package init(loop: ControlLoop, report: @escaping (WatchReport) -> Void) throws(SourceError) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw SourceError("inotify: \(Self.reason(errno))") }
        self.report = report
        watch = loop.watch(fd: descriptor) { [unowned self] in readEvents() }
    }

    deinit {
        watch?.cancel()
        close(descriptor)
    }

    /// Makes these, and no others, the watched directories.
    ///
    /// The value says whether changed permissions matter there.
    ///
    /// Every directory is asked for again, so one that was replaced under the same path is found.
    package func setDirectories(_ wanted: [String: Bool]) -> (isWider: Bool, failures: [Failure]) {
        for (directory, old) in descriptors where wanted[directory] == nil { forget(directory, old) }
        var isWider = false
        var failures: [Failure] = []
        for (directory, attributes) in wanted.sorted(by: { $0.key < $1.key }) {
            let number = inotify_add_watch(descriptor, directory, Self.mask(attributes: attributes))
            guard number >= 0 else {
                failures.append(Failure(directory: directory, message: Self.reason(errno)))
                continue
            }
            if descriptors[directory] == number { continue }
            if let old = descriptors[directory] { forget(directory, old) }
            descriptors[directory] = number
            directories[number] = directory
            isWider = true
        }
        return (isWider, failures)
    }

    private static func mask(attributes: Bool) -> UInt32 {
        var mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
        mask |= IN_ONLYDIR
        if attributes { mask |= IN_ATTRIB }
        return UInt32(mask)
    }

    private static func reason(_ code: Int32) -> String {
        switch code {
        case ENOSPC: "no more watches; raise the sysctl fs.inotify.max_user_watches"
        case EMFILE: "no more inotify instances or descriptors; raise the sysctl fs.inotify.max_user_instances"
        default: String(cString: strerror(code))
        }
    }

    private func forget(_ directory: String, _ number: Int32) {
        descriptors[directory] = nil
        // Two paths of one directory share a number; the one asked for last keeps it.
        guard directories[number] == directory else { return }
        directories[number] = nil
        inotify_rm_watch(descriptor, number)
    }

    // MARK: Events

    private func readEvents() {
        var reports: [WatchReport] = []
        withUnsafeTemporaryAllocation(byteCount: Self.bufferBytes, alignment: 8) { buffer in
            while true {
                let length = read(descriptor, buffer.baseAddress, buffer.count)
                if length < 0, errno == EINTR { continue }
                guard length > 0 else { return }
                parse(UnsafeRawBufferPointer(rebasing: buffer[..<length]), into: &reports)
            }
        }
        for item in reports { report(item) }
    }

    /// `struct inotify_event`: wd, mask, cookie, length (4 bytes each), then the name, padded with zeros.
    private func parse(_ bytes: UnsafeRawBufferPointer, into reports: inout [WatchReport]) {
        let headBytes = 16
        var offset = 0
        while offset + headBytes <= bytes.count {
            let number = bytes.load(fromByteOffset: offset, as: Int32.self)
            let mask = Int32(truncatingIfNeeded: bytes.load(fromByteOffset: offset + 4, as: UInt32.self))
            let length = Int(bytes.load(fromByteOffset: offset + 12, as: UInt32.self))
            let nameStart = offset + headBytes
            offset = nameStart + length
            guard offset <= bytes.count else { return }
            let name = bytes[nameStart..<offset].prefix { $0 != 0 }
            note(number, mask, String(decoding: name, as: UTF8.self), &reports)
        }
    }

    private func note(_ number: Int32, _ mask: Int32, _ name: String, _ reports: inout [WatchReport]) {
        if mask & Int32(IN_Q_OVERFLOW) != 0 { return reports.append(.overflow) }
        guard let directory = directories[number] else { return }
        if mask & Int32(IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) != 0 {
            forget(directory, number)
            return reports.append(.directoryGone(directory))
        }
        guard !name.isEmpty, let change = Self.change(mask) else { return }
        reports.append(.event(FileEvent(directory: directory, name: name, change: change)))
    }

    private static func change(_ mask: Int32) -> FileEvent.Change? {
        if mask & Int32(IN_CLOSE_WRITE) != 0 { return .written }
        if mask & Int32(IN_MOVED_TO) != 0 { return .movedHere }
        if mask & Int32(IN_MOVED_FROM | IN_DELETE) != 0 { return .gone }
        if mask & Int32(IN_CREATE) != 0 { return .created }
        return mask & Int32(IN_ATTRIB) != 0 ? .attributes : nil
    }
}

/// A source that cannot work, told so that an operator can act.
package struct SourceError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

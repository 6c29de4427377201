package import WeirConfig
package import WeirEngine

/// The files that resources name, read on the control thread and followed through inotify.
///
/// A file is read again when its writer has closed it, it was moved into place, or a link on the way to it was replaced, as
/// Kubernetes does with mounted Secrets.
package final class CertificateFiles: ReferencedFiles {
    /// Bytes of one file.
    package static let maxFileBytes = 1 << 20
    /// Files of all resources together.
    package static let maxFiles = 10_000

    private struct Entry {
        var trail: LinkTrail
        /// `nil`: there is nothing to read there.
        var stamp: FileStamp?
        var file: ReferencedFile
        /// Until when its writer is waited for.
        var writerLimit: Double?
    }

    package private(set) var version = 0
    /// Directories in which changes are not noticed.
    package private(set) var diagnostics: [Diagnostic] = []
    /// Called on the loop when a file has become another one, never from within `content`, `keep` or `reload`.
    package var changed: () -> Void = {}
    private let loop: ControlLoop
    private var entries: [String: Entry] = [:]
    private var users: [ReferencedFileUser: Set<String>] = [:]
    /// Entries that were read after the watches were set.
    private var isUnwatched = false

    private var watcher: FileWatcher?
    /// Entries of watched directories that lead to a file.
    private var interests: [String: Set<String>] = [:]
    /// Places that events named since the last look.
    private var announced: Set<String> = []
    private var isEverythingAnnounced = false
    private var burst = ChangeBurst()
    private var timer: (watch: ControlWatch, at: Double)?

    package init(loop: ControlLoop) { self.loop = loop }

    package func stop() {
        changed = {}
        timer?.watch.cancel()
        timer = nil
        watcher = nil
    }

    // MARK: ReferencedFiles

    package func content(of path: String) -> ReferencedFile {
        if let entry = entries[path] { return entry.file }
        guard entries.count < Self.maxFiles else {
            return .unreadable("More than \(Self.maxFiles) files are named; this one is not read. Name fewer.")
        }
        let entry = firstEntry(path)
        entries[path] = entry
        isUnwatched = true
        return entry.file
    }

    package func keep(_ paths: Set<String>, for user: ReferencedFileUser) {
        guard isUnwatched || users[user] ?? [] != paths else { return }
        users[user] = paths
        let needed = users.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        entries = entries.filter { needed.contains($0.key) }
        isUnwatched = false
        // What changed before the watch was set is not announced.
        if watch() { look(after: 0) }
    }

    /// Reads everything again, as SIGHUP asks; says whether anything is different.
    package func reload() -> Bool {
        isEverythingAnnounced = true
        return look()
    }

    // MARK: Being told

    /// Watches what leads to the files; says whether that is more than before.
    private func watch() -> Bool {
        interests = [:]
        for entry in entries.values {
            for place in entry.trail.places { note(place) }
        }
        diagnostics = []
        guard !entries.isEmpty || watcher != nil else { return false }
        do throws(SourceError) {
            if watcher == nil { watcher = try FileWatcher(loop: loop) { [unowned self] in heard($0) } }
            guard let watcher else { return false }
            let isAnyUnreadable = entries.values.contains { if case .unreadable = $0.file { true } else { false } }
            let outcome = watcher.setDirectories(interests.mapValues { _ in isAnyUnreadable })
            diagnostics = outcome.failures.map { Self.problem($0.directory, $0.message) }
            return outcome.isWider
        } catch {
            diagnostics = [Self.problem(interests.keys.min() ?? "/", error.description)]
            return false
        }
    }

    /// A place matters in its directory; where there is none yet, the place of the directory does.
    private func note(_ place: String) {
        var place = place
        var directory = LinkTrail.directory(of: place)
        while directory != "/", PathState(of: directory) != .directory {
            place = directory
            directory = LinkTrail.directory(of: place)
        }
        interests[directory, default: []].insert(LinkTrail.name(of: place))
    }

    private static func problem(_ directory: String, _ reason: String) -> Diagnostic {
        Diagnostic(
            .unreadableFile, .warning, location: SourceLocation(file: directory, line: 1),
            message: "Changed certificates are not noticed here (\(reason)). Send SIGHUP after a change.")
    }

    private func heard(_ report: WatchReport) {
        switch report {
        case .overflow, .directoryGone: isEverythingAnnounced = true
        case .event(let event):
            guard interests[event.directory]?.contains(event.name) == true else { return }
            announced.insert(event.place)
        }
        // Certificate and key are written one after the other: the later moment counts.
        timer?.watch.cancel()
        timer = nil
        look(after: burst.delay(atChange: SystemClock.now))
    }

    private func look(after seconds: Double) {
        let moment = SystemClock.now + seconds
        if let timer, timer.at <= moment { return }
        timer?.watch.cancel()
        timer = (loop.schedule(after: seconds) { [unowned self] in if look() { changed() } }, moment)
    }

    // MARK: Looking

    /// Brings all entries up to date; says whether anything is different.
    private func look() -> Bool {
        timer?.watch.cancel()
        timer = nil
        burst = ChangeBurst()
        let (places, all) = (announced, isEverythingAnnounced)
        announced = []
        isEverythingAnnounced = false
        var isDifferent = false
        for path in entries.keys where examine(path, places, all: all) { isDifferent = true }
        if isDifferent { version += 1 }
        // The files may have moved while the watches were set.
        if watch() { look(after: 0) }
        return isDifferent
    }

    private func examine(_ path: String, _ places: Set<String>, all: Bool) -> Bool {
        guard var entry = entries[path] else { return false }
        let trail = LinkTrail(following: path)
        let state = PathState(of: path)
        let isTold = all || entry.writerLimit != nil || trail.places.contains { places.contains($0) }
        if !isTold, trail == entry.trail, state.stamp == entry.stamp { return false }
        let former = entry.file
        entry.trail = trail
        read(path, state, &entry)
        entries[path] = entry
        return entry.file != former
    }

    private func firstEntry(_ path: String) -> Entry {
        var entry = Entry(trail: LinkTrail(following: path), file: .missing)
        // There is nothing better to keep while a writer is waited for.
        entry.writerLimit = 0
        read(path, PathState(of: path), &entry)
        return entry
    }

    private func read(_ path: String, _ state: PathState, _ entry: inout Entry) {
        let now = SystemClock.now
        var reading = FileReading(of: path, limit: Self.maxFileBytes, .certificate)
        if case .beingWritten = reading, let limit = entry.writerLimit, limit <= now {
            reading = FileReading(of: path, limit: Self.maxFileBytes, evenIfBeingWritten: true, .certificate)
        }
        entry.stamp = state.stamp
        switch reading {
        case .content(let bytes, let stamp):
            entry.stamp = stamp
            entry.file = .content(bytes)
        case .missing: entry.file = .missing
        case .refused(let reason): entry.file = .unreadable(reason)
        case .exhausted(let reason):
            entry.file = .unreadable(reason)
            entry.stamp = nil
            look(after: FileSource.retrySeconds)
        case .beingWritten:
            // Closing it is announced; should nobody close it, it is read as it is.
            entry.writerLimit = entry.writerLimit ?? now + FileSource.writerLimitSeconds
            return look(after: FileSource.retrySeconds)
        }
        entry.writerLimit = nil
    }
}

extension PathState {
    fileprivate var stamp: FileStamp? { if case .file(let stamp) = self { stamp } else { nil } }
}

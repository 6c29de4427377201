import Glibc
package import WeirConfig
package import WeirEngine

/// Resources from files and directories, kept up to date through inotify.
///
/// Control thread only.
///
/// Reads a file when its writer has closed it or it was moved into place; every look at the directories reads only
/// the files
/// whose inode, size or time of change is another, and decodes only the documents that changed.
package final class FileSource: ConfigSource {
    /// Seconds a file that became empty, or that changed without anybody closing it, is taken for one still being
    /// written.
    static let partialWriteGraceSeconds = 0.5

    private struct FileState {
        var stamp: FileStamp
        var contents = FileContents()
        /// Why the file cannot be read now; its resources stay.
        var problem: Diagnostic?
        /// Monotonic second from which an empty file counts as meant so; `nil` = not empty, or counted.
        var emptyUntil: Double?
    }

    private let paths: [String]
    private let loop: ControlLoop
    private let decoder: DocumentDecoder
    private let revisions: RevisionCounter
    private let limits: FileLimits

    private var files: [String: FileState] = [:]
    /// The files that count, in order.
    private var order: [String] = []
    private var survey: FileSurvey
    private var announced = Announcement()
    /// Paths given by the user that were directories when last seen.
    private var knownDirectories: Set<String> = []
    private var watcher: FileWatcher?
    private var watchProblems: [Diagnostic] = []
    private var recheck: ControlWatch?
    private var stale: () -> Void = {}

    package init(
        paths: [String], loop: ControlLoop, decoder: DocumentDecoder = DocumentDecoder(),
        revisions: RevisionCounter = RevisionCounter(), limits: FileLimits = FileLimits()
    ) {
        self.paths = paths
        self.loop = loop
        self.decoder = decoder
        self.revisions = revisions
        self.limits = limits
        survey = FileSurvey(of: [], limits: limits, knownDirectories: [])
    }

    // MARK: ConfigSource

    package func start(stale: @escaping () -> Void) {
        self.stale = stale
        do {
            watcher = try FileWatcher(loop: loop) { [unowned self] in heard($0) }
        } catch {
            watchProblems = [watchProblem(paths.first ?? "", error.description)]
        }
        distrust()
        _ = refresh()
    }

    package func distrust() { announced.everything = true }

    package func refresh() -> Bool {
        let heard = announced
        announced = Announcement()
        recheck?.cancel()
        recheck = nil
        let before = survey.diagnostics + watchProblems
        lookAround()
        var isDifferent = before != survey.diagnostics + watchProblems
        for found in survey.files where examine(found, heard) { isDifferent = true }
        if forgetGoneFiles() { isDifferent = true }
        return isDifferent
    }

    package var contents: SourceContents {
        var all = SourceContents()
        all.diagnostics = survey.diagnostics + watchProblems
        for path in order {
            guard let state = files[path] else { continue }
            let before = all.resources.count
            state.contents.append(to: &all.resources)
            let count = all.resources.count - before
            all.diagnostics += state.contents.diagnostics
            if let problem = state.problem { all.diagnostics.append(problem) }
            all.unknownKinds += state.contents.unknownKinds(file: path)
            all.files.append(
                FileSummary(
                    path: path, documents: state.contents.documentCount, resources: count,
                    kept: state.problem == nil ? state.contents.keptCount : count))
        }
        return all
    }

    package func stop() {
        recheck?.cancel()
        recheck = nil
        watcher = nil
        stale = {}
    }

    // MARK: Being told

    private func heard(_ report: WatchReport) {
        switch report {
        case .overflow, .directoryGone: announced.everything = true
        case .event(let event):
            guard survey.interests[event.directory]?.covers(event.name) == true, matters(event) else { return }
            announced.places.insert(event.place)
        }
        stale()
    }

    private func matters(_ event: FileEvent) -> Bool {
        switch event.change {
        case .written, .movedHere, .gone: true
        case .created: !PathState.isPlainFile(event.place)
        case .attributes: files.values.contains { $0.problem != nil }
        }
    }

    // MARK: Looking

    /// Lists the files and watches what leads to them; once more if the watches came after the look.
    private func lookAround() {
        for _ in 0..<3 {
            survey = FileSurvey(of: paths, limits: limits, knownDirectories: knownDirectories)
            for path in paths where PathState(of: path) == .directory { knownDirectories.insert(path) }
            guard let watcher else { return }
            let isAnyUnreadable = files.values.contains { $0.problem != nil }
            let outcome = watcher.setDirectories(survey.interests.mapValues { _ in isAnyUnreadable })
            watchProblems = outcome.failures.map { watchProblem($0.directory, $0.message) }
            if !outcome.isWider { return }
        }
    }

    private func watchProblem(_ directory: String, _ reason: String) -> Diagnostic {
        Diagnostic(
            .unreadableFile, .warning, location: SourceLocation(file: directory, line: 1),
            message: "Changes are not noticed here (\(reason)). Send SIGHUP after a change.")
    }

    /// Brings one file's state up to date; says whether anything is different.
    private func examine(_ found: FileSurvey.Found, _ heard: Announcement) -> Bool {
        let isAnnounced = heard.covers(found.trail)
        if let state = files[found.path], state.stamp == found.stamp, !isAnnounced, state.problem == nil {
            return checkEmpty(found)
        }
        // Somebody has it open and will close it, which is announced; should nobody, look again later.
        if !isAnnounced, abs(found.stamp.age(atUnix: SystemClock.unix)) < Self.partialWriteGraceSeconds {
            lookAgain(after: Self.partialWriteGraceSeconds)
            return false
        }
        var state = files[found.path] ?? FileState(stamp: found.stamp)
        let wasProblem = state.problem
        var isDifferent = false
        switch FileReading(of: found.path, limit: limits.fileBytes) {
        case .missing: return false
        case .refused(let reason):
            state.stamp = found.stamp
            state.problem = Diagnostic(
                .unreadableFile, .error, location: SourceLocation(file: found.path, line: 1),
                message: reason + (state.contents.resources.isEmpty ? "" : " What it gave before stays in force."))
        case .content(let bytes, let stamp):
            state.stamp = stamp
            state.problem = nil
            isDifferent = take(bytes, found.path, &state)
        }
        files[found.path] = state
        return isDifferent || wasProblem != state.problem
    }

    private func take(_ bytes: [UInt8], _ path: String, _ state: inout FileState) -> Bool {
        if bytes.isEmpty, !state.contents.resources.isEmpty {
            // Truncated and not yet written again, as `>` in a shell does: wait before believing it.
            state.emptyUntil = state.emptyUntil ?? SystemClock.now + Self.partialWriteGraceSeconds
            lookAgain(after: Self.partialWriteGraceSeconds)
            return false
        }
        state.emptyUntil = nil
        return state.contents.take(bytes, file: path, decoder: decoder, revisions: revisions)
    }

    /// An empty file whose grace is over counts as empty.
    private func checkEmpty(_ found: FileSurvey.Found) -> Bool {
        guard var state = files[found.path], let until = state.emptyUntil else { return false }
        let rest = until - SystemClock.now
        guard rest <= 0 else {
            lookAgain(after: rest)
            return false
        }
        state.emptyUntil = nil
        let isDifferent = state.contents.take([], file: found.path, decoder: decoder, revisions: revisions)
        files[found.path] = state
        return isDifferent
    }

    /// Files that are not there any more take their resources along, unless their directory is out of reach.
    private func forgetGoneFiles() -> Bool {
        let present = Set(survey.files.map(\.path))
        let isLost = { [survey] (path: String) in survey.lost.contains { path == $0 || path.hasPrefix($0 + "/") } }
        let gone = files.keys.filter { !present.contains($0) && !isLost($0) }
        for path in gone { files[path] = nil }
        let formerOrder = order
        order = survey.files.map(\.path).filter { files[$0] != nil }
        order += files.keys.filter { !present.contains($0) }.sorted()
        return !gone.isEmpty || order != formerOrder
    }

    private func lookAgain(after seconds: Double) {
        guard recheck == nil else { return }
        recheck = loop.schedule(after: seconds) { [unowned self] in stale() }
    }
}

/// The places events named since the last look.
private struct Announcement {
    var places: Set<String> = []
    /// Events were lost, or the operator asked: any file may have changed.
    var everything = false

    func covers(_ trail: LinkTrail) -> Bool {
        everything || trail.places.contains { places.contains($0) }
    }
}

extension FileSource {
    /// The paths that lead nowhere now.
    package static func missing(of paths: [String]) -> [String] {
        paths.filter { PathState(of: $0) == .missing }
    }
}

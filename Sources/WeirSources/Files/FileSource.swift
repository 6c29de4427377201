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
    /// Seconds a file that somebody has open for writing is waited for, before it is read as it is.
    static let writerLimitSeconds = 30.0
    /// Seconds until a file with a writer, or one there was no descriptor for, is tried again.
    static let retrySeconds = 1.0

    private struct FileState {
        var stamp: FileStamp
        var contents = FileContents()
        /// Why the file cannot be read now; its resources stay.
        var problem: Diagnostic?
        /// It was read although somebody has it open for writing.
        var warning: Diagnostic?
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
    private var recheck: (watch: ControlWatch, at: Double)?
    /// Files to read whatever their stamp says, since they had a writer; until when one is waited for.
    private var postponed: [String: Double] = [:]
    private let writerLimitSeconds: Double
    private var stale: () -> Void = {}

    package init(
        paths: [String], loop: ControlLoop, decoder: DocumentDecoder = DocumentDecoder(),
        revisions: RevisionCounter = RevisionCounter(), limits: FileLimits = FileLimits(),
        writerLimitSeconds: Double = writerLimitSeconds
    ) {
        self.paths = paths
        self.loop = loop
        self.decoder = decoder
        self.revisions = revisions
        self.limits = limits
        self.writerLimitSeconds = writerLimitSeconds
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
        cancelRecheck()
        let before = survey.diagnostics + watchProblems
        lookAround()
        if survey.isExhausted {
            // Nothing of what was said is lost with the list.
            announced = heard
            lookAgain(after: Self.retrySeconds)
        }
        var isDifferent = before != survey.diagnostics + watchProblems
        let gone = takeOutGoneFiles()
        for found in survey.files {
            inherit(found, from: gone)
            if examine(found, heard) { isDifferent = true }
        }
        leaveOrphans(of: gone)
        if setOrder() || !gone.isEmpty { isDifferent = true }
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
            all.diagnostics += [state.problem, state.warning].compactMap(\.self)
            all.unknownKinds += state.contents.unknownKinds(file: path)
            all.files.append(
                FileSummary(
                    path: path, documents: state.contents.documentCount, resources: count,
                    kept: state.problem == nil ? state.contents.keptCount : count))
        }
        return all
    }

    package func stop() {
        cancelRecheck()
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
        let isWanted = heard.covers(found.trail) || postponed[found.path] != nil
        if !isWanted, let state = files[found.path], state.stamp == found.stamp, state.problem == nil {
            guard let until = state.emptyUntil else { return false }
            let rest = until - SystemClock.now
            guard rest <= 0 else {
                lookAgain(after: rest)
                return false
            }
        } else if !isWanted, abs(found.stamp.age(atUnix: SystemClock.unix)) < Self.partialWriteGraceSeconds {
            // Somebody has it open and will close it, which is announced; should nobody, look again later.
            lookAgain(after: Self.partialWriteGraceSeconds)
            return false
        }
        return read(found)
    }

    /// Reads one file, unless it has a writer; says whether anything is different.
    private func read(_ found: FileSurvey.Found) -> Bool {
        let now = SystemClock.now
        var state = files[found.path] ?? FileState(stamp: found.stamp)
        let former = [state.problem, state.warning]
        var isDifferent = false
        var reading = FileReading(of: found.path, limit: limits.fileBytes)
        var warning: Diagnostic?
        if case .beingWritten = reading, let until = postponed[found.path], until <= now {
            reading = FileReading(of: found.path, limit: limits.fileBytes, evenIfBeingWritten: true)
            warning = self.warning(found)
        }
        switch reading {
        case .missing: return false
        case .beingWritten:
            postponed[found.path] = postponed[found.path] ?? now + writerLimitSeconds
            lookAgain(after: Self.retrySeconds)
            return false
        case .exhausted(let reason):
            state.problem = problem(found, state, reason)
            lookAgain(after: Self.retrySeconds)
        case .refused(let reason):
            postponed[found.path] = nil
            state.stamp = found.stamp
            state.problem = problem(found, state, reason)
        case .content(let bytes, let stamp):
            postponed[found.path] = nil
            state.stamp = stamp
            state.problem = nil
            state.warning = warning
            isDifferent = take(bytes, found.path, &state)
        }
        files[found.path] = state
        return isDifferent || former != [state.problem, state.warning]
    }

    private func problem(_ found: FileSurvey.Found, _ state: FileState, _ reason: String) -> Diagnostic {
        Diagnostic(
            .unreadableFile, .error, location: SourceLocation(file: found.path, line: 1),
            message: reason + (state.contents.resources.isEmpty ? "" : " What it gave before stays in force."))
    }

    private func warning(_ found: FileSurvey.Found) -> Diagnostic {
        Diagnostic(
            .unreadableFile, .warning, location: SourceLocation(file: found.path, line: 1),
            message: "Somebody has had this file open for writing for \(Int(writerLimitSeconds)) s, so it was read as "
                + "it is. It is read again when it is closed.")
    }

    private func take(_ bytes: [UInt8], _ path: String, _ state: inout FileState) -> Bool {
        if bytes.isEmpty, !state.contents.resources.isEmpty {
            // Truncated and not yet written again, as `>` in a shell does: wait before believing it.
            let now = SystemClock.now
            let until = state.emptyUntil ?? now + Self.partialWriteGraceSeconds
            if now < until {
                state.emptyUntil = until
                lookAgain(after: until - now)
                return false
            }
        }
        state.emptyUntil = nil
        return state.contents.take(bytes, file: path, decoder: decoder, revisions: revisions)
    }

    /// Takes out what is not there any more, unless its directory is out of reach.
    private func takeOutGoneFiles() -> [FileState] {
        let present = Set(survey.files.map(\.path))
        let isLost = { [survey] (path: String) in survey.lost.contains { path == $0 || path.hasPrefix($0 + "/") } }
        postponed = postponed.filter { present.contains($0.key) || isLost($0.key) }
        let gone = files.keys.filter { !present.contains($0) && !isLost($0) }
        return gone.sorted().compactMap { files.removeValue(forKey: $0) }
    }

    /// A file that was renamed keeps what it gave, as far as its text is broken.
    private func inherit(_ found: FileSurvey.Found, from gone: [FileState]) {
        guard files[found.path] == nil, let former = gone.first(where: { $0.stamp == found.stamp }) else { return }
        files[found.path] = FileState(
            stamp: found.stamp, contents: FileContents(keeping: former.contents.resources),
            emptyUntil: former.emptyUntil)
        postponed[found.path] = SystemClock.now + writerLimitSeconds
    }

    /// What gone files gave stays where another file names it and is refused.
    private func leaveOrphans(of gone: [FileState]) {
        guard !gone.isEmpty else { return }
        var orphans: [ResourceID: Resource] = [:]
        for resource in gone.flatMap(\.contents.resources) where orphans[resource.id] == nil {
            orphans[resource.id] = resource
        }
        guard !orphans.isEmpty else { return }
        for state in files.values { for resource in state.contents.resources { orphans[resource.id] = nil } }
        for found in survey.files { files[found.path]?.contents.adopt(&orphans) }
    }

    /// Puts the files in order; says whether it is another one.
    private func setOrder() -> Bool {
        let former = order
        let present = Set(survey.files.map(\.path))
        order = survey.files.map(\.path).filter { files[$0] != nil }
        order += files.keys.filter { !present.contains($0) }.sorted()
        return order != former
    }

    private func lookAgain(after seconds: Double) {
        let moment = SystemClock.now + seconds
        if let recheck, recheck.at <= moment { return }
        cancelRecheck()
        recheck = (loop.schedule(after: seconds) { [unowned self] in stale() }, moment)
    }

    private func cancelRecheck() {
        recheck?.watch.cancel()
        recheck = nil
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

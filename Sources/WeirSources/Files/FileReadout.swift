import Glibc
package import WeirConfig

/// What files hold at one moment, read once: every good document counts, whatever else its file holds.
///
/// For commands; a server follows its files with `FileSource`.
package struct FileReadout: Sendable {
    /// As `FileSource` reads them.
    package var contents = SourceContents()
    /// Paths that lead nowhere.
    package var missing: [String] = []
    private let decoder: DocumentDecoder
    private let limits: FileLimits
    private var seen: Set<FileStamp.Identity> = []

    package init(decoder: DocumentDecoder, limits: FileLimits = FileLimits()) {
        self.decoder = decoder
        self.limits = limits
    }

    /// Reads a file, or the configuration files of a directory; with `recursive` those of its directories too.
    package mutating func read(path: String, recursive: Bool) {
        switch PathState(of: path) {
        case .file(let stamp): read(file: path, stamp)
        case .directory: list(path, recursive: recursive)
        case .missing: missing.append(path)
        case .other: report(path, "This is neither a file nor a directory.")
        case .unreachable(let code): report(path, "It cannot be reached: \(String(cString: strerror(code))).")
        }
    }

    /// Takes documents that were read elsewhere.
    package mutating func take(_ bytes: [UInt8], file: String) {
        guard bytes.count <= limits.fileBytes else {
            return report(file, "There are more than \(limits.fileBytes) bytes; nothing of it is read. Split it.")
        }
        let documents = DocumentSplitter.split(bytes)
        let before = contents.resources.count
        for document in documents {
            let decoded = decoder.decode(document, file: file)
            contents.resources += decoded.resources
            contents.diagnostics += decoded.diagnostics
            contents.unknownKinds += decoded.unknownKinds.map {
                UnknownKind(kind: $0, location: SourceLocation(file: file, line: document.firstLine), count: 1)
            }
        }
        contents.files.append(
            FileSummary(
                path: file, documents: documents.count, resources: contents.resources.count - before, kept: 0))
    }

    private mutating func read(file path: String, _ stamp: FileStamp) {
        guard seen.insert(stamp.identity).inserted else { return }
        guard contents.files.count < limits.files else {
            return report(path, "There are more than \(limits.files) files; this one is not read. Join some.")
        }
        switch FileReading(of: path, limit: limits.fileBytes, evenIfBeingWritten: true) {
        case .content(let bytes, _): take(bytes, file: path)
        case .refused(let reason), .exhausted(let reason): report(path, reason)
        case .missing, .beingWritten: missing.append(path)
        }
    }

    /// Links to directories are not followed, so that nothing is met twice for ever.
    private mutating func list(_ path: String, recursive: Bool) {
        guard let stream = opendir(path) else {
            return report(path, "The directory cannot be listed: \(String(cString: strerror(errno))).")
        }
        var names: [(name: String, isDirectory: Bool)] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append((name, entry.pointee.d_type == UInt8(DT_DIR)))
        }
        closedir(stream)
        let parent = path.hasSuffix("/") ? path : path + "/"
        for (name, isDirectory) in names.sorted(by: { $0.name < $1.name }) {
            if isDirectory {
                if recursive, !name.hasPrefix(".") { list(parent + name, recursive: true) }
            } else if FileSurvey.isConfigFileName(name), case .file(let stamp) = PathState(of: parent + name) {
                read(file: parent + name, stamp)
            }
        }
    }

    private mutating func report(_ path: String, _ message: String) {
        contents.diagnostics.append(
            Diagnostic(.unreadableFile, .error, location: SourceLocation(file: path, line: 1), message: message))
    }
}

package import WeirConfig

/// Where resources come from.
///
/// Lives on the control thread.
package protocol ConfigSource: AnyObject {
    /// Reads everything there is, and from then on calls `stale` whenever `refresh` may find something new.
    func start(stale: @escaping () -> Void)

    /// Takes in what changed since the last call and says whether `contents` did.
    func refresh() -> Bool

    /// Makes the next `refresh` look at everything, whatever was announced (SIGHUP, or lost events).
    func distrust()

    /// What counts at present: good versions, and the last good ones of what is broken now.
    var contents: SourceContents { get }

    /// Nothing is called afterwards.
    func stop()
}

/// What a source has at one moment.
package struct SourceContents: Sendable {
    /// In the order that decides between duplicates: the first one counts.
    package var resources: [Resource] = []
    /// Without those about unknown kinds, which are told once a kind.
    package var diagnostics: [Diagnostic] = []
    /// The `kind:` words nobody reads and where each was first seen.
    package var unknownKinds: [UnknownKind] = []
    package var files: [FileSummary] = []

    package init() {}
}

/// A kind Weir does not read.
package struct UnknownKind: Sendable, Hashable {
    package var kind: String
    /// Where it stands first.
    package var location: SourceLocation
    /// Documents of this kind.
    package var count: Int

    package init(kind: String, location: SourceLocation, count: Int) {
        self.kind = kind
        self.location = location
        self.count = count
    }
}

/// One configuration file, for `/status`.
package struct FileSummary: Sendable, Hashable {
    package var path: String
    /// Documents in the file as it is now, the broken ones included.
    package var documents: Int
    /// Resources in force, the kept ones included.
    package var resources: Int
    /// Resources of an earlier version, in force because the present one is broken.
    package var kept: Int

    package init(path: String, documents: Int, resources: Int, kept: Int) {
        self.path = path
        self.documents = documents
        self.resources = resources
        self.kept = kept
    }
}

/// Numbers the versions of documents, for all sources of a process.
///
/// Control thread only.
package final class RevisionCounter {
    private var last: UInt64 = 0

    package init() {}

    /// A number no document had before.
    package func next() -> UInt64 {
        last += 1
        return last
    }
}

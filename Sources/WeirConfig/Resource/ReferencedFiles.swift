/// What a file holds that a resource names by its path.
package enum ReferencedFile: Sendable, Hashable {
    case content([UInt8])
    /// There is no such file.
    case missing
    /// Why it cannot be read: a sentence, then how to mend it.
    case unreadable(String)
}

/// Who names files.
package enum ReferencedFileUser: Sendable, Hashable {
    case gateways
    case clusters
}

/// The files that resources name: certificates, keys, lists of revoked certificates.
///
/// Control thread only; whoever implements it tells when one of them has changed.
package protocol ReferencedFiles: AnyObject {
    /// Another number each time a file was found to be another.
    var version: Int { get }

    /// What the file holds, as it was read last.
    ///
    /// One that nobody has asked for before is read now, and watched from the end of the round on.
    func content(of path: String) -> ReferencedFile

    /// Ends a round: these are the files a user still needs.
    ///
    /// What no user needs is forgotten.
    func keep(_ paths: Set<String>, for user: ReferencedFileUser)
}

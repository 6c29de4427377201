import WeirSources

/// The body of `/status`.
struct StatusReport: Encodable {
    struct File: Encodable {
        var path: String
        var documents: Int
        var resources: Int
        /// Resources of an earlier version, in force because the file's present one is broken.
        var kept: Int
    }

    var version = weirVersion
    /// What all workers serve; 0 = nothing yet.
    var generation: UInt64
    var ready: Bool
    var draining: Bool
    var uptimeSeconds: Double
    var workers: Int
    /// Kind to number in force.
    var resources: [String: Int]
    var listeners: [ServerStatus.Listener]
    var problems: [Problem]
    var lastReload: ServerStatus.Reloaded?
    var files: [File]

    init(_ status: ServerStatus) {
        let current = status.current
        generation = current.generation
        ready = status.isReady
        draining = status.isDraining
        uptimeSeconds = (status.uptimeSeconds * 1000).rounded() / 1000
        workers = status.workers
        resources = current.configuration.resources
        listeners = current.configuration.listeners
        problems = current.configuration.problems
        lastReload = current.lastReload
        files = current.configuration.files.map {
            File(path: $0.path, documents: $0.documents, resources: $0.resources, kept: $0.kept)
        }
    }
}

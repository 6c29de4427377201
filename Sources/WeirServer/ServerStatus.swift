package import WeirCompiler
import WeirEngine
package import WeirSources

/// What the server is doing, for readiness and `/status`.
///
/// Written by the control thread, read by the admin thread.
package final class ServerStatus: Sendable {
    /// What a reload left behind.
    package struct Configuration: Sendable {
        /// Kind to number of resources in force.
        package var resources: [String: Int] = [:]
        package var listeners: [Listener] = []
        package var problems: [Problem] = []
        package var files: [FileSummary] = []
        /// What servers of TLS show and trust.
        package var certificates: [CertificateStatus] = []

        package init() {}

        /// Nothing in it was refused.
        var isClean: Bool { !problems.contains { $0.isError } }
    }

    /// A port of the configuration.
    package struct Listener: Sendable, Hashable, Encodable {
        /// As the Gateway declares it.
        package var port: Int
        package var localPort: Int
        package var bind: String?
        package var listening: Bool
        /// Why not.
        package var problem: String?
        /// Services are found there by name (`--mesh-listen`).
        package var mesh: Bool?
    }

    /// One reload that reached the workers.
    package struct Reloaded: Sendable, Hashable, Encodable {
        /// When all workers served it.
        package var time: String
        /// From the change being read to all workers serving it.
        package var durationMilliseconds: Double
    }

    /// The reloads since the start, for metrics.
    struct ReloadCounts: Sendable, Equatable {
        /// Handed to the workers with nothing refused.
        var clean = 0
        /// With something refused: its last good version stays, or it is left out.
        var refusing = 0
        /// When a clean one last went live, in seconds since 1970.
        var lastCleanSeconds: Double?
        /// From the last change being read to all workers serving it.
        var lastSeconds: Double?
    }

    struct State {
        /// What all workers serve; 0 = nothing yet.
        var generation: UInt64 = 0
        var isDraining = false
        var configuration = Configuration()
        var lastReload: Reloaded?
        var snapshot: Snapshot?
        var reloads = ReloadCounts()
    }

    package let workers: Int
    private let startedAt = SystemClock.now
    private let state = Guarded(State())

    package init(workers: Int) { self.workers = workers }

    // MARK: Written by the control thread

    /// A configuration was handed to the workers.
    func published(_ configuration: Configuration, snapshot: Snapshot) {
        // The former snapshot is released behind the lock: freeing a large one takes a while.
        let former = state.withLock { state in
            defer {
                state.configuration = configuration
                state.snapshot = snapshot
            }
            // A port is tried again in the same generation.
            if state.snapshot?.generation != snapshot.generation {
                if configuration.isClean { state.reloads.clean += 1 } else { state.reloads.refusing += 1 }
            }
            return state.snapshot
        }
        _ = former
    }

    /// All workers serve this generation.
    func live(generation: UInt64, afterSeconds seconds: Double) {
        let unix = SystemClock.unix
        let time = Timestamp.text(unixSeconds: unix)
        state.withLock {
            $0.generation = max($0.generation, generation)
            $0.reloads.lastSeconds = seconds
            if $0.configuration.isClean { $0.reloads.lastCleanSeconds = unix }
            $0.lastReload = Reloaded(time: time, durationMilliseconds: (seconds * 100_000).rounded() / 100)
        }
    }

    /// Readiness fails from now on.
    func startedDraining() { state.withLock { $0.isDraining = true } }

    // MARK: Read anywhere

    /// The first configuration is live on all workers, and the server is not on its way out.
    package var isReady: Bool { state.withLock { $0.generation > 0 && !$0.isDraining } }
    package var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Seconds since the start.
    var uptimeSeconds: Double { SystemClock.now - startedAt }

    /// A copy of everything, except the snapshot.
    var current: (generation: UInt64, configuration: Configuration, lastReload: Reloaded?) {
        state.withLock { ($0.generation, $0.configuration, $0.lastReload) }
    }

    var reloads: ReloadCounts { state.withLock { $0.reloads } }

    /// What was last handed to the workers.
    var snapshot: Snapshot? { state.withLock { $0.snapshot } }
}

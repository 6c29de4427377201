private import CRE2

/// One RE2 pattern, compiled once for every worker, because RE2's cache of states takes a lock.
package final class RegexSet: @unchecked Sendable {
    // Sendable: immutable after init; worker n alone runs program n.

    package let pattern: String
    /// One handle a worker, owned.
    private let programs: UnsafeMutablePointer<OpaquePointer>
    private let count: Int

    /// A pattern RE2 does not take, in RE2's words.
    package struct Malformed: Error {
        package let reason: String
    }

    /// Compiles `pattern` `workers` times.
    package init(pattern: String, workers: Int) throws(Malformed) {
        precondition(workers > 0, "a regex needs a worker to run on")
        // Before any property is set: an init that throws later would run deinit.
        var made: [OpaquePointer] = []
        for _ in 0..<workers {
            switch Self.compile(pattern) {
            case .success(let program): made.append(program)
            case .failure(let malformed):
                for program in made { weir_re2_free(program) }
                throw malformed
            }
        }
        self.pattern = pattern
        programs = .copy(of: made)
        count = workers
    }

    deinit {
        for worker in 0..<count { weir_re2_free(programs[worker]) }
        programs.deallocate()
    }

    /// The handles, for `RegexProgram`; valid while the set lives.
    var handles: UnsafeRawPointer { UnsafeRawPointer(programs) }
    var workers: Int { count }

    private static func compile(_ pattern: String) -> Result<OpaquePointer, Malformed> {
        var pattern = pattern
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
            reason.initialize(repeating: 0)
            let program = pattern.withUTF8 { text in
                text.withMemoryRebound(to: CChar.self) { bytes in
                    // An empty pattern has no address of its own.
                    let start = bytes.baseAddress ?? UnsafePointer(reason.baseAddress!)
                    return weir_re2_compile(start, bytes.count, reason.baseAddress!, reason.count)
                }
            }
            guard let program else {
                let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                return .failure(Malformed(reason: String(decoding: text, as: UTF8.self)))
            }
            return .success(program)
        }
    }
}

/// Runs the programs of a `RegexSet` from a bare pointer.
enum RegexProgram {
    /// Whether the whole text matches; `handles` is a living set's.
    @inline(__always)
    static func matches(_ handles: UnsafeRawPointer, worker: Int, _ text: UnsafeRawBufferPointer) -> Bool {
        let program = handles.load(fromByteOffset: worker &* MemoryLayout<OpaquePointer>.stride, as: OpaquePointer.self)
        guard let start = text.baseAddress else {
            // RE2 wants an address even for no bytes.
            return weir_re2_full_match(program, "", 0) != 0
        }
        return weir_re2_full_match(program, start.assumingMemoryBound(to: CChar.self), text.count) != 0
    }
}

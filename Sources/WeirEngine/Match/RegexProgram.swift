private import CRE2

/// One RE2 pattern, compiled once for every worker, because RE2's cache of states takes a lock.
package final class RegexSet: @unchecked Sendable {
    // Sendable: immutable after init; worker n alone runs program n.

    package let pattern: String
    /// One handle a worker, owned.
    private let programs: UnsafeMutablePointer<OpaquePointer>
    private let count: Int
    private let needed = Guarded<[String]?>(nil)

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

    /// Texts, lower-case, that are part of every match's lower-cased text.
    ///
    /// Asked for while a table is built, never on a request's path; found out once.
    var neededTexts: [String] {
        needed.withLock { known in
            if let known { return known }
            let texts = Self.findNeededTexts(pattern)
            known = texts
            return texts
        }
    }

    private static func findNeededTexts(_ pattern: String) -> [String] {
        // RE2 folds case as Unicode does, where a sign beyond ASCII may equal a letter of ASCII; a lookup folds ASCII alone.
        guard pattern.utf8.allSatisfy({ $0 < 0x80 }), !ignoresCase(pattern) else { return [] }
        var pattern = pattern
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { texts in
            let used = pattern.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    $0.baseAddress.map { weir_re2_needed_texts($0, bytes.count, texts.baseAddress!, texts.count) } ?? 0
                }
            }
            let written = texts[..<used].map { UInt8(bitPattern: $0) }
            return written.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Whether a group may switch case off: `(?i)`, `(?s-i:...)` and their like.
    private static func ignoresCase(_ pattern: String) -> Bool {
        let bytes = Array(pattern.utf8)
        for start in bytes.indices.dropLast(2) where bytes[start...].starts(with: "(?".utf8) {
            let flags = bytes[(start + 2)...].prefix { "imsU-".utf8.contains($0) }
            if flags.contains(UInt8(ascii: "i")) { return true }
        }
        return false
    }

    /// Why a text cannot take the place of this pattern's matches, as one that names a group there is none of.
    package func objection(toSubstitute text: String) -> String? {
        var text = text
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
            reason.initialize(repeating: 0)
            let isFit = text.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { bytes in
                    let start = bytes.baseAddress ?? UnsafePointer(reason.baseAddress!)
                    return weir_re2_check_rewrite(
                        programs[0], start, bytes.count, reason.baseAddress!, reason.count) != 0
                }
            }
            if isFit { return nil }
            let words = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            return String(decoding: words, as: UTF8.self)
        }
    }

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

    /// Searches for matches in one text that has them replaced: each may read all of the text, whatever the match.
    static let maxSearches = 1024

    /// Writes the text with `substitute` in the place of every match; `nil` when that needs more room or searches.
    static func replaceAll(
        _ handles: UnsafeRawPointer, worker: Int, _ text: UnsafeRawBufferPointer,
        by substitute: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let program = handles.load(fromByteOffset: worker &* MemoryLayout<OpaquePointer>.stride, as: OpaquePointer.self)
        // RE2 wants addresses even for no bytes.
        guard let out = room.baseAddress else { return nil }
        let source = (text.baseAddress ?? UnsafeRawPointer(out)).assumingMemoryBound(to: CChar.self)
        let by = (substitute.baseAddress ?? UnsafeRawPointer(out)).assumingMemoryBound(to: CChar.self)
        let length = weir_re2_replace_all(
            program, source, text.count, by, substitute.count, maxSearches, out.assumingMemoryBound(to: CChar.self),
            room.count)
        // SIZE_MAX: there was not enough.
        return length < 0 ? nil : length
    }
}

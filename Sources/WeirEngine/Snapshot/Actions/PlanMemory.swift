import Glibc

/// Memory and objects that plans point to: allocated while they are made, let go together.
struct PlanMemory: ~Copyable {
    private var blocks: [UnsafeMutableRawPointer] = []
    private var formats: [[LogPiece]: CompiledLogFormat] = [:]
    private var regexes: [RegexSet] = []

    init() {}

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// Values that live as long as this memory.
    mutating func copy<Value: BitwiseCopyable>(_ values: [Value]) -> UnsafePointer<Value> {
        let memory = UnsafeMutablePointer<Value>.copy(of: values)
        blocks.append(UnsafeMutableRawPointer(memory))
        return UnsafePointer(memory)
    }

    mutating func text(_ text: String) -> UnsafeRawBufferPointer { bytes(Array(text.utf8)) }

    mutating func bytes(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        guard !bytes.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: copy(bytes), count: bytes.count)
    }

    /// The program of a value; equal values share one.
    mutating func format(_ pieces: [LogPiece]) -> CompiledLogFormat {
        if let known = formats[pieces] { return known }
        do throws(AccessLogFormatError) {
            let format = try HeaderValueProgram.build(pieces)
            formats[pieces] = format
            return format
        } catch {
            preconditionFailure("a header's value was built before and cannot be now: \(error)")
        }
    }

    /// A regex's handles, for `RegexProgram`.
    mutating func handles(of regex: RegexSet) -> UnsafeRawPointer {
        regexes.append(regex)
        return regex.handles
    }
}

#if WEIR_BENCH
/// One piece of a request's way through the engine, to be repeated and timed.
///
/// Only in builds for micro-benchmarks: what is measured is internal to the engine and is compiled as it is there.
package struct HotLoop {
    /// What one repetition does.
    package let name: String
    /// Repeats it; the sum depends on every result, so that none of the work can be left out.
    package let run: (_ repetitions: Int) -> UInt64

    /// Every loop, in the order of a request's way.
    package static func all() -> [HotLoop] { heads() + lookups() + picks() }
}

/// Bytes that stay where they are for as long as the process runs.
func pinnedBytes(_ text: String) -> UnsafeMutableBufferPointer<UInt8> {
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
    _ = bytes.initialize(from: text.utf8)
    return bytes
}
#endif

import Glibc

/// Finds text in raw bytes, fast in a debug build too.
package enum ByteSearch {
    /// Where `pattern` begins in the first `count` bytes at `base`.
    package static func find(
        _ pattern: StaticString, in base: UnsafeMutableRawPointer, _ count: Int
    ) -> UnsafeMutableRawPointer? {
        let length = pattern.utf8CodeUnitCount
        let first = Int32(pattern.utf8Start.pointee)
        var place = base
        while true {
            let rest = count - (place - base) - length + 1
            guard rest > 0, let found = memchr(place, first, rest) else { return nil }
            if memcmp(found, pattern.utf8Start, length) == 0 { return found }
            place = found + 1
        }
    }
}

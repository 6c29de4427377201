import Glibc

/// Brings a path into the one form that routes are matched against and upstreams see (Istio's BASE normalisation).
///
/// Resolves dot segments (RFC 3986 section 5.2.4) after turning `\` into `/` and decoding escapes of unreserved
/// characters, `%2e` among them. Repeated slashes, `%2F`, `%5C` and invalid escapes stay; the query is not touched.
/// The result is final: no decoding makes a new escape, so whoever normalises it again sees the same path.
enum PathNormalization {
    /// Normalises an origin-form target in place, and cuts its fragment off.
    ///
    /// Returns the path's length and the whole's, neither longer than before; `nil` for an escaped NUL. Linear: each
    /// byte is written once and taken back at most once.
    static func apply(_ target: UnsafeMutablePointer<UInt8>, count: Int) -> (path: Int, target: Int)? {
        let whole = offset(of: ASCII.hash, in: target, count: count)
        let oldPath = offset(of: ASCII.question, in: target, count: whole)
        guard needsWork(target, count: oldPath) else { return (oldPath, whole) }
        guard let path = rewrite(target, count: oldPath) else { return nil }
        let query = whole - oldPath
        memmove(target + path, target + oldPath, query)
        return (path, path + query)
    }

    private static func offset(of byte: UInt8, in bytes: UnsafeMutablePointer<UInt8>, count: Int) -> Int {
        guard let found = memchr(bytes, Int32(byte), count) else { return count }
        return UnsafeRawPointer(found) - UnsafeRawPointer(bytes)
    }

    /// Whether there is an escape, a backslash or a segment that starts with a dot.
    private static func needsWork(_ path: UnsafeMutablePointer<UInt8>, count: Int) -> Bool {
        var previous: UInt8 = 0
        for index in 0..<count {
            let byte = path[index]
            if byte == ASCII.percent || byte == ASCII.backslash { return true }
            if byte == ASCII.dot, previous == ASCII.slash { return true }
            previous = byte
        }
        return false
    }

    private static func rewrite(_ path: UnsafeMutablePointer<UInt8>, count: Int) -> Int? {
        var from = 0
        var to = 0
        while from < count {
            var byte = path[from]
            from += 1
            if byte == ASCII.percent {
                guard let decoded = unescape(path, from, count) else { return nil }
                if decoded != ASCII.percent, !wouldExtendEscape(path, to, decoded) {
                    byte = decoded
                    from += 2
                }
            } else if byte == ASCII.backslash {
                byte = ASCII.slash
            }
            if byte == ASCII.slash { to = closeSegment(path, to) }
            path[to] = byte
            to += 1
        }
        // A path that ends in a dot segment ends in a slash.
        let end = closeSegment(path, to)
        if end < to {
            path[end] = ASCII.slash
            return end + 1
        }
        return to
    }

    /// The unreserved character escaped behind a `%`; `%` itself when it stays, `nil` for an escaped NUL.
    private static func unescape(_ path: UnsafeMutablePointer<UInt8>, _ digits: Int, _ count: Int) -> UInt8? {
        guard count - digits >= 2, let high = ASCII.hexValue(path[digits]), let low = ASCII.hexValue(path[digits + 1])
        else { return ASCII.percent }
        let byte = high << 4 | low
        if byte == 0 { return nil }
        return ASCII.isUnreserved(byte) ? byte : ASCII.percent
    }

    /// Whether a decoded byte would become a digit of a `%` that was no escape so far, as in `%2%65` and `%%32e`.
    private static func wouldExtendEscape(_ path: UnsafeMutablePointer<UInt8>, _ end: Int, _ byte: UInt8) -> Bool {
        guard end > 0, ASCII.hexValue(byte) != nil else { return false }
        if path[end - 1] == ASCII.percent { return true }
        return end >= 2 && path[end - 2] == ASCII.percent && ASCII.hexValue(path[end - 1]) != nil
    }

    /// Where writing goes on behind the segment that ends at `end`: before its slash when it is a dot segment, and
    /// before the slash of the one it takes back when it is `..`; the root is never left.
    private static func closeSegment(_ path: UnsafeMutablePointer<UInt8>, _ end: Int) -> Int {
        if end >= 2, path[end - 1] == ASCII.dot, path[end - 2] == ASCII.slash { return end - 2 }
        guard end >= 3, path[end - 1] == ASCII.dot, path[end - 2] == ASCII.dot, path[end - 3] == ASCII.slash else {
            return end
        }
        var start = end - 3
        while start > 0 {
            start -= 1
            if path[start] == ASCII.slash { return start }
        }
        return 0
    }
}

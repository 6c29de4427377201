/// Finds the headers of frames in received bytes (RFC 9113 section 4.1).
///
/// nghttp2 says nothing of frames it passes over: those of types it does not know, and bodies on streams that are closed.
struct H2FrameScanner {
    struct Header {
        let length: Int
        let type: UInt8
        let stream: Int32
    }

    static let headerBytes = 9

    /// Bytes until the next header begins.
    private var skip: Int
    /// Bytes of the header that have come, the latest lowest.
    private var gathered = 0
    private var high: UInt64 = 0
    private var low: UInt8 = 0

    /// `preface`: bytes in front of the first frame.
    init(preface: Int) { skip = preface }

    /// The next header whose last byte is among these; `at` moves behind it, or to the end when there is none.
    mutating func next(_ bytes: UnsafePointer<UInt8>, count: Int, at: inout Int) -> Header? {
        if skip > 0 {
            let step = min(skip, count - at)
            skip -= step
            at += step
        }
        while at < count {
            if gathered < Self.headerBytes - 1 { high = high << 8 | UInt64(bytes[at]) } else { low = bytes[at] }
            gathered += 1
            at += 1
            if gathered == Self.headerBytes { return complete() }
        }
        return nil
    }

    private mutating func complete() -> Header {
        // Length (24 bits), type, flags, stream (31 bits).
        let header = Header(
            length: Int(high >> 40), type: UInt8(truncatingIfNeeded: high >> 32),
            stream: Int32(truncatingIfNeeded: (high & 0x7f_ffff) << 8 | UInt64(low)))
        gathered = 0
        high = 0
        skip = header.length
        return header
    }
}

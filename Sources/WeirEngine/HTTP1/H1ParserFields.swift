import Glibc

/// How far a reader got: past what it was asked to read, out of bytes, or into something it refuses.
enum H1Progress {
    case done
    case needMore
    case failed(H1Error)
}

/// Reads field lines (RFC 9112 section 5) into a block's storage and gathers what they say about framing.
struct H1FieldReader {
    private let end: UnsafeMutablePointer<UInt8>
    private let fields: UnsafeMutablePointer<HeaderField>
    private let maxLines: Int
    private(set) var count = 0
    /// First byte not read.
    private(set) var next: UnsafeMutablePointer<UInt8>
    private(set) var framing = H1Framing()

    init(
        from start: UnsafeMutablePointer<UInt8>, to end: UnsafeMutablePointer<UInt8>,
        into fields: UnsafeMutablePointer<HeaderField>, maxLines: Int
    ) {
        self.end = end
        self.fields = fields
        self.maxLines = min(maxLines, HeaderBlock.capacity)
        next = start
    }

    /// Reads lines up to and including the empty one.
    mutating func read() -> H1Progress {
        let names = ASCII.tokenTable
        var line = next
        while true {
            var at = line
            while at < end {
                let folded = names[Int(at.pointee)]
                if folded == 0 { break }
                at.pointee = folded
                at += 1
            }
            guard at < end else { return .needMore }
            if at == line { return endOfHead(at) }
            // Nothing may stand between name and colon (section 5.1).
            guard at.pointee == ASCII.colon else { return .failed(.malformed) }
            let name = UnsafePointer(line)
            let nameLength = at - line
            at += 1
            while at < end, ASCII.isBlank(at.pointee) { at += 1 }
            let value = UnsafePointer(at)
            let stop = ASCII.endOfFieldValue(value, UnsafePointer(end))
            guard UnsafePointer(end) - stop >= 2 else { return partialLineEnd(stop) }
            guard stop[0] == ASCII.carriageReturn, stop[1] == ASCII.lineFeed else { return .failed(.malformed) }
            if let error = add(name, nameLength, value, stop) { return .failed(error) }
            line = UnsafeMutablePointer(mutating: stop) + 2
        }
    }

    /// Stores a line, its value less the blanks behind it.
    @inline(__always)  // once a line, on every head
    private mutating func add(
        _ name: UnsafePointer<UInt8>, _ nameLength: Int, _ value: UnsafePointer<UInt8>, _ stop: UnsafePointer<UInt8>
    ) -> H1Error? {
        guard count < maxLines else { return .headTooLarge }
        var trimmed = stop
        while trimmed > value, ASCII.isBlank(trimmed[-1]) { trimmed -= 1 }
        let token = HeaderName.lookup(name, length: nameLength)
        // Lengths within a head of at most some ten thousand bytes.
        (fields + count).initialize(
            to: HeaderField(
                name: name, value: value, nameLength: UInt32(truncatingIfNeeded: nameLength),
                valueLength: UInt32(truncatingIfNeeded: trimmed - value), token: token,
                removed: H1Framing.isHopByHop(token)))
        if H1Framing.isOfInterest(token), let error = framing.note(fields, count) { return error }
        count += 1
        return nil
    }

    /// A line that begins with no name: the empty line, or an error; a blank would be obs-fold (section 5.2), refused.
    private mutating func endOfHead(_ at: UnsafeMutablePointer<UInt8>) -> H1Progress {
        guard at.pointee == ASCII.carriageReturn else { return .failed(.malformed) }
        guard end - at >= 2 else { return .needMore }
        guard at[1] == ASCII.lineFeed else { return .failed(.malformed) }
        next = at + 2
        return .done
    }

    private func partialLineEnd(_ stop: UnsafePointer<UInt8>) -> H1Progress {
        if stop == UnsafePointer(end) || stop.pointee == ASCII.carriageReturn { return .needMore }
        return .failed(.malformed)
    }
}

import Glibc

/// Finds a message's body in the bytes behind its head (RFC 9112 sections 6 and 7).
///
/// Pure; any split gives the same body. Chunk extensions and trailers are checked, bounded and dropped.
struct H1BodyDecoder {
    /// What one call made of its bytes.
    struct Step: Equatable {
        /// Bytes used up; nothing of the body is among them but the one run below.
        var consumed = 0
        /// Body bytes inside the consumed ones.
        var bodyStart = 0
        var bodyCount = 0
        /// The body is complete; bytes not consumed belong to what follows.
        var finished = false
        /// The framing is broken; nothing of this step may be used.
        var failed = false
    }

    /// Extensions of one chunk-size line, in bytes.
    static let maxSizeLineBytes = 4096
    static let maxSizeDigits = 16
    /// Bytes of extensions that may come without as many bytes of data, in a whole message.
    static let maxSurplusBytes = 16 * 1024
    static let maxTrailerBytes = 8 * 1024
    static let maxTrailerLines = HeaderBlock.maxReceived

    private enum State: UInt8 {
        /// `.none`, or the end of any other body.
        case finished
        case length
        case untilClose
        case size
        case sizeExtension
        case sizeLineFeed
        case data
        case dataReturn
        case dataLineFeed
        case trailerStart
        case trailerName
        case trailerValue
        case trailerLineFeed
        case lastLineFeed
        case failed
    }

    /// Bytes of the body, or of the chunk, still to come.
    private var remaining: UInt64 = 0
    // A connection keeps one of these, so nothing in it is wider than it needs to be.
    /// Bytes of the size line, or of all trailers.
    private var lineBytes: Int32 = 0
    /// Bytes of extensions that no data has made up for.
    private var surplus: Int32 = 0
    /// Digits of the chunk size read.
    private var digits: UInt8 = 0
    private var trailerLines: UInt8 = 0
    private var state: State

    init(_ framing: BodyFraming) {
        switch framing {
        case .none: state = .finished
        case .length(let length):
            state = length == 0 ? .finished : .length
            remaining = length
        case .chunked: state = .size
        case .untilClose: state = .untilClose
        }
    }

    /// The body ends with the connection, so that is no failure.
    var isUntilClose: Bool { state == .untilClose }

    /// Reads on; repeat with what was not consumed until `finished`, `failed` or all bytes are used up.
    ///
    /// Small chunks that were received together become one run of bytes: they are moved over the framing between them, within
    /// what is consumed.
    mutating func next(_ bytes: UnsafeMutablePointer<UInt8>, count: Int) -> Step {
        var step = Step()
        switch state {
        case .untilClose:
            step.consumed = count
            step.bodyCount = count
        case .length:
            take(&step, count)
            if remaining == 0 { state = .finished }
        default:
            readChunks(&step, bytes, count)
        }
        step.finished = state == .finished
        step.failed = state == .failed
        return step
    }

    private mutating func take(_ step: inout Step, _ count: Int) {
        let length = min(count - step.consumed, Int(clamping: remaining))
        step.bodyStart = step.consumed
        step.bodyCount = length
        step.consumed += length
        remaining -= UInt64(length)
    }

    private mutating func readChunks(_ step: inout Step, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        while step.consumed < count {
            switch state {
            case .finished, .failed, .length, .untilClose:
                return
            case .data:
                if step.bodyCount == 0 {
                    take(&step, count)
                } else {
                    // Where every byte came in a chunk of its own, what goes on must not cost the other side as much.
                    let length = min(count - step.consumed, Int(clamping: remaining))
                    if length > BufferChain.crumbBytes { return }
                    memmove(bytes + step.bodyStart + step.bodyCount, bytes + step.consumed, length)
                    step.bodyCount += length
                    step.consumed += length
                    remaining -= UInt64(length)
                }
                if remaining == 0 { state = .dataReturn }
            default:
                state = advance(bytes[step.consumed])
                step.consumed += 1
            }
        }
    }

    /// The state behind one byte of framing.
    private mutating func advance(_ byte: UInt8) -> State {
        switch state {
        case .size: return sizeByte(byte)
        case .sizeExtension: return extensionByte(byte)
        case .sizeLineFeed: return byte == ASCII.lineFeed ? sizeComplete() : .failed
        case .dataReturn: return byte == ASCII.carriageReturn ? .dataLineFeed : .failed
        case .dataLineFeed: return byte == ASCII.lineFeed ? .size : .failed
        case .trailerStart, .trailerName, .trailerValue: return trailerByte(byte)
        case .trailerLineFeed: return byte == ASCII.lineFeed ? .trailerStart : .failed
        case .lastLineFeed: return byte == ASCII.lineFeed ? .finished : .failed
        case .finished, .failed, .length, .untilClose, .data: return .failed
        }
    }

    // MARK: Chunk sizes

    /// 1*HEXDIG and nothing around it: no sign, prefix or blank (section 7.1).
    private mutating func sizeByte(_ byte: UInt8) -> State {
        if let digit = ASCII.hexValue(byte) {
            digits += 1
            // At most 16 digits, so the shift loses nothing.
            guard digits <= Self.maxSizeDigits else { return .failed }
            remaining = remaining << 4 | UInt64(digit)
            return .size
        }
        guard digits > 0 else { return .failed }
        switch byte {
        case ASCII.carriageReturn: return .sizeLineFeed
        case ASCII.semicolon: return .sizeExtension
        default: return .failed
        }
    }

    private mutating func extensionByte(_ byte: UInt8) -> State {
        if byte == ASCII.carriageReturn { return .sizeLineFeed }
        lineBytes += 1
        return ASCII.isFieldValue(byte) && lineBytes <= Self.maxSizeLineBytes ? .sizeExtension : .failed
    }

    private mutating func sizeComplete() -> State {
        digits = 0
        // Nobody sends as much; what cannot be counted with a sign is an attack on somebody's counter.
        guard remaining <= UInt64(Int64.max) else { return .failed }
        // A few bytes dressed up in many would cost everybody on the way, and be no body (CVE-2023-39326).
        surplus = Int32(max(0, Int(surplus) + Int(lineBytes) - Int(remaining)))
        lineBytes = 0
        guard surplus <= Self.maxSurplusBytes else { return .failed }
        return remaining == 0 ? .trailerStart : .data
    }

    // MARK: Trailers

    private mutating func trailerByte(_ byte: UInt8) -> State {
        lineBytes += 1
        guard lineBytes <= Self.maxTrailerBytes else { return .failed }
        if state == .trailerStart {
            if byte == ASCII.carriageReturn { return .lastLineFeed }
            trailerLines += 1
            // A blank here would be obs-fold (section 5.2), which no token begins with.
            return ASCII.tokenTable[Int(byte)] != 0 && trailerLines <= Self.maxTrailerLines ? .trailerName : .failed
        }
        if state == .trailerName {
            if byte == ASCII.colon { return .trailerValue }
            return ASCII.tokenTable[Int(byte)] != 0 ? .trailerName : .failed
        }
        if byte == ASCII.carriageReturn { return .trailerLineFeed }
        return ASCII.isFieldValue(byte) ? .trailerValue : .failed
    }
}

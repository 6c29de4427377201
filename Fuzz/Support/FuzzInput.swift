import Glibc

/// What one run is given: a few bytes that choose, taken off the front, and the rest.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: UnsafePointer<UInt8>?, _ count: Int) {
        rest = Array(UnsafeBufferPointer(start: bytes, count: count))[...]
    }

    /// The next byte that chooses; 0 when there is none.
    mutating func choice() -> UInt8 { rest.popFirst() ?? 0 }

    /// The next bytes up to a line feed, which is dropped.
    mutating func line() -> [UInt8] {
        let line = Array(rest.prefix { $0 != 0x0a })
        rest = rest.dropFirst(line.count + 1)
        return line
    }
}

/// Where to cut a message, drawn from one chosen byte: 0 cuts before every byte, 255 nowhere.
struct FuzzCuts {
    /// All in one piece.
    static let none = FuzzCuts(255)

    private let choice: UInt8
    private var state: UInt32

    init(_ choice: UInt8) {
        self.choice = choice
        state = UInt32(choice) &* 2_654_435_761 | 1
    }

    /// Length of the next piece of what is left, at least 1.
    mutating func next(of left: Int) -> Int {
        if choice == 0 { return 1 }
        if choice == 255 { return left }
        // Xorshift: never 0, and the same for the same choice.
        state ^= state << 13
        state ^= state >> 17
        state ^= state << 5
        return min(left, 1 + Int(state % (UInt32(choice) + 1)))
    }
}

/// Memory of exactly the bytes it holds, so that the sanitizer sees every byte read or written beyond.
struct ExactBytes: ~Copyable {
    let start: UnsafeMutablePointer<UInt8>
    let count: Int

    init(_ bytes: some Collection<UInt8>) {
        count = bytes.count
        start = .allocate(capacity: count)
        _ = UnsafeMutableBufferPointer(start: start, count: count).initialize(from: bytes)
    }

    init(room: Int) {
        count = room
        start = .allocate(capacity: room)
        start.initialize(repeating: 0xdd, count: room)
    }

    func bytes(_ length: Int) -> [UInt8] { Array(UnsafeBufferPointer(start: start, count: length)) }

    deinit { start.deallocate() }
}

/// Ends the run as a failure when `condition` does not hold.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    guard !condition else { return }
    let text = Array("disagreement: \(message())\n".utf8)
    write(STDERR_FILENO, text, text.count)
    abort()
}

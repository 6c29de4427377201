import Glibc

/// How much work the load tests do.
enum TestScale {
    /// Sanitized code is many times slower; `WEIR_TEST_SCALE=small` asks for the same, `full` for the opposite.
    static let isSmall: Bool = {
        switch getenv("WEIR_TEST_SCALE").map({ String(cString: $0) }) {
        case "small": true
        case "full": false
        default: isSanitized
        }
    }()

    /// Whether a sanitizer's run time is part of this process.
    private static let isSanitized = (["__tsan_init", "__asan_init"] as [String]).contains { dlsym(nil, $0) != nil }
}

import Glibc
import WeirEngine

/// Times every hot loop of the engine and counts its heap allocations.
///
/// `weir-bench-micro [TEXT ...]` runs the loops whose names contain one of the texts. The allocations are those that
/// `Benchmarks/cost/malloc_count.c` counts; without it preloaded the column is empty. Exit status 1: a loop allocates,
/// which none may.
@main
enum Main {
    static func main() {
        let wanted = CommandLine.arguments.dropFirst()
        let loops = HotLoop.all().filter { loop in wanted.isEmpty || wanted.contains { loop.name.contains($0) } }
        guard !loops.isEmpty else {
            print("No loop's name contains \(wanted.joined(separator: " or ")).")
            exit(64)
        }
        if !Stopwatch.countsAllocations() { print("Nobody counts allocations: see `make bench-micro`.") }
        let width = loops.reduce(0) { max($0, $1.name.count) }
        print("| \(padded("operation", width)) |     ns |  spread | allocations |")
        print("|\(String(repeating: "-", count: width + 2))|-------:|--------:|------------:|")
        var allocating: [String] = []
        for loop in loops {
            let result = Stopwatch.measure(loop)
            if let allocations = result.allocations, allocations >= 0.001 { allocating.append(loop.name) }
            let allocations = result.allocations.map { fixed($0, 3) } ?? "-"
            print(
                "| \(padded(loop.name, width)) | \(padded(fixed(result.nanoseconds, 1), -6)) "
                    + "| \(padded(fixed(result.spread * 100, 0) + " %", -7)) | \(padded(allocations, -11)) |")
        }
        if !allocating.isEmpty {
            print("Allocates: \(allocating.joined(separator: "; "))")
            exit(1)
        }
    }

    /// Fills up with spaces: behind the text, or in front of it for a negative width.
    private static func padded(_ text: String, _ width: Int) -> String {
        let spaces = String(repeating: " ", count: max(abs(width) - text.count, 0))
        return width < 0 ? spaces + text : text + spaces
    }

    private static func fixed(_ number: Double, _ digits: Int) -> String {
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((number * Double(scale)).rounded())
        if digits == 0 { return String(scaled) }
        let fraction = String(scaled % scale)
        return "\(scaled / scale).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }
}

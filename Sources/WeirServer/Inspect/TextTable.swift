/// Aligned columns for people: two blanks between them, none at the end of a line.
struct TextTable {
    /// How a column stands in its width.
    enum Alignment {
        case left
        case right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(String, Alignment)]) { self.columns = columns }

    /// All columns to the left.
    init(_ titles: [String]) { columns = titles.map { ($0, .left) } }

    /// As many cells as columns, or fewer.
    mutating func add(_ cells: [String]) { rows.append(cells.map(Self.plain)) }

    var lines: [String] {
        let titles = columns.map(\.title)
        var widths = titles.map(\.count)
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], cell.count)
            }
        }
        return ([titles] + rows).map { line($0, widths) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        var blanks = 0
        for (index, cell) in cells.enumerated() {
            let gap = String(repeating: " ", count: max(0, widths[index] - cell.count))
            let isRight = columns[index].alignment == .right
            if isRight { blanks += gap.count }
            if !cell.isEmpty {
                line += String(repeating: " ", count: blanks) + cell
                blanks = 0
            }
            blanks += (isRight ? 0 : gap.count) + 2
        }
        return line
    }

    /// What users wrote must not break the lines, nor reach the terminal as commands.
    private static func plain(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return text }
        var plain = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { plain.append(scalar.value < 0x20 || scalar.value == 0x7F ? "?" : scalar) }
        return String(plain)
    }
}

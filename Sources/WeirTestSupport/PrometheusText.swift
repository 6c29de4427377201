/// Metrics as a scraper reads them, and what is wrong with their form.
package struct PrometheusText: Sendable {
    package struct Sample: Sendable {
        package var name: String
        /// In the order written.
        package var labels: [(name: String, value: String)]
        package var value: Double

        package subscript(label: String) -> String? { labels.first { $0.name == label }?.value }
    }

    package private(set) var samples: [Sample] = []
    package private(set) var types: [String: String] = [:]
    /// A family begun twice or left and taken up again, a sample written twice, a line that is none.
    package private(set) var faults: [String] = []

    package init(_ text: String) {
        var seen: Set<Substring> = []
        var helped: Set<Substring> = []
        var family: Substring = ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3)
            if line.hasPrefix("# HELP ") {
                family = words[2]
                if !helped.insert(family).inserted { faults.append("\(family) is begun twice") }
            } else if line.hasPrefix("# TYPE ") {
                if words[2] != family { faults.append("the type of \(words[2]) does not follow its help") }
                types[String(words[2])] = String(words[3])
            } else if let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) {
                let series = line[..<space]
                if !seen.insert(series).inserted { faults.append("\(series) is written twice") }
                guard let sample = Self.sample(series, value) else {
                    faults.append("no sample: \(line)")
                    continue
                }
                let isHistogram = types[String(family)] == "histogram"
                let endings = isHistogram ? ["_bucket", "_sum", "_count"] : [""]
                if !endings.contains(where: { sample.name == family + $0 }) {
                    faults.append("\(sample.name) stands in \(family)")
                }
                samples.append(sample)
            } else {
                faults.append("no sample: \(line)")
            }
        }
    }

    private static func sample(_ series: Substring, _ value: Double) -> Sample? {
        guard let brace = series.firstIndex(of: "{") else {
            return Sample(name: String(series), labels: [], value: value)
        }
        var sample = Sample(name: String(series[..<brace]), labels: [], value: value)
        var rest = series[series.index(after: brace)...]
        while let equals = rest.firstIndex(of: "=") {
            let name = String(rest[..<equals])
            rest = rest[rest.index(after: equals)...].dropFirst()
            var text = ""
            var isEscaped = false
            while let character = rest.popFirst() {
                if isEscaped {
                    text.append(character == "n" ? "\n" : character)
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    break
                } else {
                    text.append(character)
                }
            }
            sample.labels.append((name, text))
            guard rest.first == "," else { break }
            rest = rest.dropFirst()
        }
        return rest == "}" ? sample : nil
    }

    /// The samples of this name that have all these labels.
    package func samples(_ name: String, _ labels: [String: String] = [:]) -> [Sample] {
        samples.filter { sample in sample.name == name && labels.allSatisfy { sample[$0.key] == $0.value } }
    }

    /// Their sum.
    package func sum(_ name: String, _ labels: [String: String] = [:]) -> Double {
        samples(name, labels).reduce(0) { $0 + $1.value }
    }
}

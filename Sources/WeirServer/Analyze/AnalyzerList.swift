import WeirCompiler
import WeirConfig

/// What `weir analyze -L` prints.
package enum AnalyzerList {
    package static var text: String {
        Analyzer.all.map { analyzer in
            let inputs =
                analyzer.inputs.count > 6 ? "all kinds" : analyzer.inputs.map(\.rawValue).joined(separator: ", ")
            return """
                * \(analyzer.name)
                    \(analyzer.summary)
                    looks at \(inputs); reports \(analyzer.codes.map(\.rawValue).joined(separator: ", "))

                """
        }.joined()
    }
}

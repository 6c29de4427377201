import Foundation
import Testing
import WeirConfig

/// Istio's own samples must all be accepted.
///
/// They are not part of the repository: WEIR_SUITES names their folder.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["WEIR_SUITES"] != nil))
struct SamplesTests {
    private var files: [String] {
        let root = ProcessInfo.processInfo.environment["WEIR_SUITES"] ?? ""
        let samples = root + "/istio-samples"
        let names = FileManager.default.enumerator(atPath: samples)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".yaml") }.map { samples + "/" + $0 }
    }

    @Test func everySampleIsAcceptedWithoutAnUnknownField() throws {
        #expect(!files.isEmpty)
        for file in files {
            let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: file)))
            for document in DocumentSplitter.split(bytes) {
                let result = DocumentDecoder().decode(document, file: file)
                let problems = result.diagnostics.filter { $0.severity == .error || $0.code == .unknownField }
                #expect(problems.isEmpty)
                #expect(!result.unparsable && result.refused.isEmpty)
            }
        }
    }
}

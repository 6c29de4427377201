import Foundation
import Testing
import WeirCompiler
import WeirConfig
import WeirTestSupport

@testable import WeirServer

/// `weir analyze` as a whole: reading, filtering, printing, exit status.
@Suite struct ConfigurationAnalysisTests {
    private static let good = """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: gw}
        spec:
          servers:
          - port: {number: 80, name: http, protocol: HTTP}
            hosts: ["*"]
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: web}
        spec:
          hosts: [a.example.com]
          gateways: [gw]
          http:
          - route: [{destination: {host: web}}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {ports: [{name: http, port: 80}], selector: {app: web}}

        """
    /// One error (no such host), one warning (no such Gateway host), one piece of information (a port's name).
    private static let bad =
        good.replacingOccurrences(of: "{host: web}", with: "{host: api}")
        .replacingOccurrences(of: "name: http, port: 80", with: "name: web, port: 80")

    private func analyze(
        _ files: [String: String], input: String = "", _ configure: (inout AnalysisOptions) -> Void = { _ in }
    ) throws -> (result: ConfigurationAnalysis.Result, directory: TemporaryDirectory) {
        let directory = try TemporaryDirectory()
        for (name, text) in files { try directory.write(name, text) }
        var options = AnalysisOptions()
        options.paths = [directory.path]
        configure(&options)
        let analysis = ConfigurationAnalysis(options, standardInput: { _ in Array(input.utf8) })
        return (analysis.run(), directory)
    }

    @Test func goodFilesAreSaidToBe() throws {
        let (result, _) = try analyze(["a.yaml": Self.good])
        #expect(result.status == .success)
        #expect(result.output.isEmpty)
        #expect(result.remarks == ["\u{2714} No problems found in 3 resources of 1 file."])
    }

    @Test func linesHaveIstioctlsForm() throws {
        let (result, directory) = try analyze(["a.yaml": Self.bad])
        let lines = result.output.split(separator: "\n")
        #expect(result.status == .findings)
        #expect(lines.count == 2)
        #expect(
            lines[0].hasPrefix(
                "Error [IST0101] (VirtualService default/web \(directory.path("a.yaml")):16) "
                    + "spec.http[0].route[0].destination.host: There is no service api"))
        #expect(
            lines[1].hasPrefix(
                "Info [IST0118] (Service default/web \(directory.path("a.yaml")):18) spec.ports[0].name: "))
        #expect(result.remarks == ["Problems found: 1 error, 1 info. docs/analyze.md says what each code means."])
    }

    @Test func whatTwoFindIsToldOnce() throws {
        let yaml =
            Self.good.replacingOccurrences(of: "gateways: [gw]", with: "gateways: [nowhere]")
            .replacingOccurrences(
                of: "- route: [{destination: {host: web}}]",
                with:
                    "- route: [{destination: {host: web}}]\n  - match: [{uri: {prefix: /a}}]\n    route: [{destination: {host: web}}]"
            )
        let (result, _) = try analyze(["a.yaml": yaml])
        let codes = result.output.split(separator: "\n").map { $0.split(separator: " ")[1] }
        #expect(codes == ["[IST0101]", "[IST0132]", "[IST0130]"])
    }

    @Test func oneBadDocumentHidesNoOther() throws {
        let (result, directory) = try analyze(["a.yaml": "kind: [\n---\n" + Self.bad])
        #expect(result.output.contains("Error [WEIR0001] (\(directory.path("a.yaml")):"))
        #expect(result.output.contains("[IST0101]"))
    }

    @Test(arguments: [
        ("IST0101=VirtualService web.default", true), ("IST0101=VirtualService default/web", true),
        ("IST0101=VirtualService *.default", true), ("IST0101=*", true), ("IST0101=*web*", true),
        ("IST0101=VirtualService web.other", false), ("IST0101=Gateway *", false), ("IST0102=*", false),
        ("IST0101=VirtualService web", false),
    ])
    func suppressionsCoverWhatTheyName(text: String, isSilent: Bool) throws {
        let suppression = try AnalysisSuppression(text)
        let (result, _) = try analyze(["a.yaml": Self.bad]) { $0.suppressions = [suppression] }
        #expect(result.output.contains("IST0101") != isSilent)
        #expect((result.status == .success) == isSilent)
        #expect(result.remarks.contains { $0.contains("IST0102") } == text.hasPrefix("IST0102"))
    }

    @Test(arguments: ["", "IST0101", "=Gateway x", "IST0101="])
    func suppressionsOfNothingAreRefused(text: String) {
        #expect(throws: OptionError.self) { try AnalysisSuppression(text) }
    }

    @Test func patternsMatchWholeNames() {
        #expect(AnalysisSuppression.matches("a*c", "abc"))
        #expect(AnalysisSuppression.matches("a*c", "ac"))
        #expect(!AnalysisSuppression.matches("a*c", "abcd"))
        #expect(!AnalysisSuppression.matches("ab*bc", "abc"))
        #expect(AnalysisSuppression.matches("*b*d*", "abcde"))
        #expect(!AnalysisSuppression.matches("*d*b*", "abcde"))
        #expect(AnalysisSuppression.matches("**", ""))
    }

    @Test func aResourceSilencesItself() throws {
        let annotated = Self.bad.replacingOccurrences(
            of: "kind: VirtualService\nmetadata: {name: web}",
            with:
                "kind: VirtualService\nmetadata: {name: web, annotations: {galley.istio.io/analyze-suppress: \"IST0101, IST0001\"}}"
        )
        let (result, _) = try analyze(["a.yaml": annotated])
        #expect(result.status == .success)
        #expect(!result.output.contains("IST0101"))
        #expect(result.output.contains("IST0118"))
    }

    @Test func thresholdsAreIndependent() throws {
        let files = ["a.yaml": Self.bad]
        let suppression = try AnalysisSuppression("IST0101=*")
        let quiet = try analyze(files) { $0.outputThreshold = .warning }.result
        #expect(!quiet.output.contains("Info") && quiet.status == .findings)
        let strict = try analyze(files) {
            $0.failureThreshold = .info
            $0.suppressions = [suppression]
        }.result
        #expect(strict.output.contains("IST0118") && strict.status == .findings)
        let lenient = try analyze(files) { $0.suppressions = [suppression] }.result
        #expect(lenient.output.contains("IST0118") && lenient.status == .success)
    }

    @Test func jsonHasIstioctlsKeys() throws {
        let (result, directory) = try analyze(["a.yaml": Self.bad]) { $0.output = .json }
        let messages = try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: String]])
        #expect(messages.map { $0["code"] } == ["IST0101", "IST0118"])
        #expect(messages[0]["level"] == "Error")
        #expect(messages[0]["origin"] == "VirtualService default/web")
        #expect(messages[0]["reference"] == "\(directory.path("a.yaml")):16")
        #expect(messages[0]["path"] == "spec.http[0].route[0].destination.host")
        #expect(messages[0]["documentationUrl"]?.hasSuffix("/ist0101/") == true)
        #expect(messages[0]["message"]?.hasPrefix("There is no service api") == true)
        #expect(result.status == .findings)
        #expect(try analyze(["a.yaml": Self.good]) { $0.output = .json }.result.output == "[\n\n]\n")
    }

    @Test func yamlIsReadAsItWasWritten() throws {
        let (result, _) = try analyze(["a.yaml": Self.bad]) { $0.output = .yaml }
        #expect(result.output.hasPrefix("- code: \"IST0101\"\n  documentationUrl: \""))
        #expect(result.output.contains("\n- code: \"IST0118\"\n"))
        #expect(try analyze(["a.yaml": Self.good]) { $0.output = .yaml }.result.output == "[]\n")
    }

    @Test func coloursAreOnTheLevelAlone() throws {
        let (result, _) = try analyze(["a.yaml": Self.bad]) { $0.isColoured = true }
        #expect(result.output.hasPrefix("\u{1B}[31mError\u{1B}[0m [IST0101]"))
        #expect(result.output.contains("\u{1B}[34mInfo\u{1B}[0m [IST0118]"))
    }

    @Test func standardInputIsAFileToo() throws {
        let (result, _) = try analyze([:], input: Self.bad) { $0.paths = ["-"] }
        #expect(result.output.hasPrefix("Error [IST0101] (VirtualService default/web stdin:16)"))
    }

    @Test func standardInputIsBoundedAsFilesAre() {
        var options = AnalysisOptions()
        options.paths = ["-"]
        let analysis = ConfigurationAnalysis(options, standardInput: { [UInt8](repeating: 0x23, count: $0 + 1) })
        let result = analysis.run()
        #expect(result.output.hasPrefix("Error [WEIR0001] (stdin:1) There are more than 67108864 bytes"))
        #expect(result.status == .findings)
    }

    @Test func directoriesAreReadFlatUnlessRecursive() throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path("inner"), withIntermediateDirectories: true)
        try directory.write("a.yaml", Self.good)
        try directory.write("notes.txt", "kind: [")
        try directory.write("inner/b.yml", Self.bad.replacingOccurrences(of: "name: web}", with: "name: inner}"))
        var options = AnalysisOptions()
        options.paths = [directory.path]
        #expect(ConfigurationAnalysis(options).run().status == .success)
        options.isRecursive = true
        let result = ConfigurationAnalysis(options).run()
        #expect(result.status == .findings)
        #expect(result.output.contains(directory.path("inner/b.yml")))
    }

    @Test func aFileNamedTwiceIsReadOnce() throws {
        let (result, _) = try analyze(["a.yaml": Self.good]) { $0.paths += $0.paths.map { $0 + "/a.yaml" } }
        #expect(result.status == .success)
        #expect(!result.output.contains("WEIR0005"))
    }

    @Test func aPathThatLeadsNowhereIsAFailure() throws {
        let (result, _) = try analyze([:]) { $0.paths = ["/nowhere/at/all"] }
        #expect(result.status == .failure)
        #expect(result.remarks == ["There is no file or directory /nowhere/at/all."])
    }

    @Test func theNamespaceOfDocumentsWithoutOneIsGiven() throws {
        let (result, _) = try analyze(["a.yaml": Self.bad]) { $0.namespace = "shop" }
        #expect(result.output.contains("(VirtualService shop/web "))
        #expect(result.output.contains("api.shop.svc.cluster.local"))
    }

    @Test func unknownDocumentsAreInformationAndMayBeIgnored() throws {
        let files = [
            "a.yaml": Self.good + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n", "b.yaml": "a: [",
        ]
        let told = try analyze(files).result
        #expect(told.output.contains("Info [WEIR0004]") && told.output.contains("Error [WEIR0001]"))
        #expect(told.status == .findings)
        let ignored = try analyze(files) { $0.ignoresUnknown = true }.result
        #expect(ignored.output.isEmpty && ignored.status == .success)
    }

    /// The table of docs/analyze.md has every code, at its level.
    @Test func everyCodeIsDocumented() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/analyze.md"), encoding: .utf8)
        for code in DiagnosticCode.allCases {
            let row = page.split(separator: "\n").first { $0.hasPrefix("| \(code.rawValue) |") }
            let cells = row?.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(cells?.count == 5, "\(code.rawValue) has no row of code, name, level, condition and fix")
            if let level = code.level { #expect(cells?[2] == AnalysisLevel(level).rawValue, "\(code.rawValue)") }
        }
    }
}

import Testing
import WeirConfig

@testable import WeirServer

/// Each code by a text that calls for it, and by one beside it that does not.
@Suite struct CodeFixtureTests {
    private func codes(_ text: String, isMesh: Bool) -> [String] {
        var options = AnalysisOptions()
        options.paths = ["-"]
        if isMesh { options.binding.meshListen = HostPort(host: "127.0.0.1", port: 1) }
        let result = ConfigurationAnalysis(options, standardInput: { _ in Array(text.utf8) }).run()
        return result.output.split(separator: "\n").compactMap { line in
            line.firstIndex(of: "[").map { String(line[$0...].dropFirst().prefix { $0 != "]" }) }
        }
    }

    @Test(arguments: CodeFixture.all)
    func aCodeIsToldWhereItIsCalledForAndNowhereElse(fixture: CodeFixture) {
        let fires = codes(fixture.fires, isMesh: fixture.isMesh)
        let silent = codes(fixture.silent, isMesh: fixture.isMesh)
        #expect(fires.contains(fixture.code.rawValue), "told: \(fires)")
        #expect(!silent.contains(fixture.code.rawValue))
        // What is close to a mistake is no other mistake.
        #expect(silent.count < fires.count + 1)
        #expect(!silent.contains("IST0106") && !silent.contains("WEIR0001"))
    }

    @Test func everyCodeHasAFixture() {
        let covered = Set(CodeFixture.all.map(\.code)).union(CodeFixture.ofRunningProcesses)
        #expect(covered == Set(DiagnosticCode.allCases))
    }
}

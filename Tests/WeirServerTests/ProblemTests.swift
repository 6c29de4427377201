import Testing
import WeirConfig

@testable import WeirEngine
@testable import WeirServer

/// Problems as they are logged: once each.
@Suite struct ProblemTests {
    private func problem(_ line: Int, _ severity: Diagnostic.Severity = .error) -> Problem {
        Problem(
            Diagnostic(
                .schemaValidation, severity, resource: ResourceID(kind: .gateway, namespace: "default", name: "gw"),
                path: "spec.servers[0]", location: SourceLocation(file: "a.yaml", line: line),
                message: "Wrong. Mend it."))
    }

    @Test func aProblemIsLoggedWhenItAppearsAndWhenItIsGone() {
        let record = LogRecord()
        var log = ProblemLog()
        log.report([problem(3), problem(3), problem(7, .warning)], to: record.logger)
        #expect(
            record.take() == [
                "error Wrong. Mend it. at=a.yaml:3 code=IST0106 path=spec.servers[0] resource=Gateway default/gw",
                "warning Wrong. Mend it. at=a.yaml:7 code=IST0106 path=spec.servers[0] resource=Gateway default/gw",
            ])
        log.report([problem(3), problem(7, .warning)], to: record.logger)
        #expect(record.take().isEmpty)
        log.report([problem(7, .warning)], to: record.logger)
        #expect(record.take().map { $0.hasPrefix("info resolved: Wrong.") } == [true])
        log.report([problem(3), problem(7, .warning)], to: record.logger)
        #expect(record.take().count == 1)
    }

    @Test func aFloodIsCutAndCounted() {
        let record = LogRecord()
        var log = ProblemLog()
        log.report((1...ProblemLog.lineLimit + 5).map { problem($0) }, to: record.logger)
        let lines = record.take()
        #expect(lines.count == ProblemLog.lineLimit + 1)
        #expect(lines.last == "warning more problems are listed at /status count=5")
    }

    @Test func aBusyPortNamesTheServerThatDeclaresIt() throws {
        let yaml = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata:
              name: gw
            spec:
              servers:
              - port: {number: 80, name: http, protocol: HTTP}
                hosts: ["*"]
            """
        let gateway = DocumentDecoder().decode(RawDocument(text: yaml, firstLine: 1), file: "a.yaml")
        let problem = Problem(
            ListenerProblem(
                port: 80, localPort: 8080, bind: nil, message: "listen on [::]:8080: Address already in use"),
            resources: ResourceSet(gateway.resources))
        #expect(problem.code == "WEIR0007")
        #expect(problem.resource == "Gateway default/gw")
        #expect(problem.path == "spec.servers[0].port.number")
        #expect(problem.file == "a.yaml")
        #expect(problem.line == 7)
        #expect(problem.message.contains("Port 8080 (for Gateway port 80)"))
        #expect(problem.message.contains("--listen-map 80=PORT"))
    }
}

import ArgumentParser
import Logging
import Testing
import WeirCompiler
import WeirServer

@testable import weir

/// The command line as it is parsed, and the exit status of what is wrong with it.
@Suite struct CommandLineTests {
    private func options(_ arguments: String...) throws -> ServerOptions {
        let serve = try #require(try Weir.parseAsRoot(["serve"] + arguments) as? Serve)
        return try serve.options()
    }

    @Test func defaultsAreThoseDocumented() throws {
        let options = try options("--config", "a")
        #expect(options.configPaths == ["a"])
        #expect(options.admin == HostPort(host: "127.0.0.1", port: 15000))
        #expect(options.health == HostPort(host: "0.0.0.0", port: 15021))
        #expect(options.workers == WorkerCount.detected())
        #expect(options.portMap.isEmpty)
        #expect(options.bind == nil)
        #expect(options.drainDelaySeconds == 0)
        #expect(options.drainSeconds == 20)
        #expect(options.serverName == "weir")
        #expect(!options.acceptsHTTP10)
        #expect(options.logLevel == .info)
        #expect(options.takesSignals)
        #expect(options.accessLog == nil)
        #expect(options.binding.gatewayLabels == nil)
        #expect(options.binding.gatewayNamespace == nil)
        #expect(options.binding.rootNamespace == "istio-system")
        #expect(options.binding.domainSuffix == "cluster.local")
        #expect(options.binding.meshListen == nil)
        #expect(options.binding.referenceGraceSeconds == 2)
    }

    @Test func whoTheGatewayIsReachesTheCompiler() throws {
        let binding = try options(
            "--config", "a", "--gateway-selector", "istio=ingressgateway,app=edge", "--gateway-selector", "tier=",
            "--gateway-namespace", "edge", "--root-namespace", "mesh", "--domain-suffix", "Corp.Internal",
            "--mesh-listen",
            "localhost:15080", "--reference-grace", "1m500ms"
        ).binding
        #expect(binding.gatewayLabels == ["istio": "ingressgateway", "app": "edge", "tier": ""])
        #expect(binding.meshListen == HostPort(host: "localhost", port: 15080))
        let compiler = binding.compilerOptions(workers: 2, bind: "127.0.0.1")
        #expect(compiler.bind == "127.0.0.1")
        #expect(compiler.gatewayLabels == binding.gatewayLabels)
        #expect((compiler.gatewayNamespace, compiler.rootNamespace) == ("edge", "mesh"))
        #expect(compiler.secretNamespace == "edge")
        #expect(compiler.domainSuffix == "corp.internal")
        #expect(compiler.meshListen == MeshAddress(host: "127.0.0.1", port: 15080))
        #expect(compiler.referenceGraceSeconds == 60.5)
        #expect(compiler.workers == 2)
    }

    @Test(arguments: [
        ("off", nil), ("-", AccessLogTarget.standardOutput), ("/dev/stdout", .standardOutput), ("log", .file("log")),
    ])
    func theAccessLogHasATarget(text: String, target: AccessLogTarget?) throws {
        #expect(try options("--config", "a", "--access-log", text).accessLog == target)
        for format in ["text", "json", "%PROTOCOL%", #"{"a":"%PROTOCOL%"}"#, "-%PROTOCOL%"] {
            _ = try options("--config", "a", "--access-log", text, "--access-log-format=\(format)")
        }
    }

    @Test func everyFlagReachesTheServer() throws {
        let options = try options(
            "--config", "a", "--config", "b", "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "127.0.0.1:0",
            "--workers", "3",
            "--listen-map", "80=8080", "--listen-map", "443=8443", "--bind", "::1", "--drain-delay", "1.5",
            "--drain-seconds", "3",
            "--server-name", "pass", "--http10", "--mirror-shadow-suffix", "--log-level", "debug")
        #expect(options.configPaths == ["a", "b"])
        #expect(options.admin.port == 0)
        #expect(options.health == nil)
        #expect(options.metrics == HostPort(host: "127.0.0.1", port: 0))
        #expect(options.workers == 3)
        #expect(options.portMap == [80: 8080, 443: 8443])
        #expect(options.bind == "::1")
        #expect(options.drainDelaySeconds == 1.5)
        #expect(options.drainSeconds == 3)
        #expect(options.serverName == nil)
        #expect(options.acceptsHTTP10 && options.mirrorShadowSuffix)
        #expect(options.logLevel == .debug)
    }

    @Test(arguments: [
        ["serve"], ["serve", "--config"], ["serve", "--config", "a", "--admin", "nowhere"],
        ["serve", "--config", "a", "--health", "1"], ["serve", "--config", "a", "--workers", "0"],
        ["serve", "--config", "a", "--workers", "x"], ["serve", "--config", "a", "--listen-map", "80"],
        ["serve", "--config", "a", "--bind", "eth0"], ["serve", "--config", "a", "--drain-delay", "-1"],
        ["serve", "--config", "a", "--drain-seconds", "nan"], ["serve", "--config", "a", "--server-name", ""],
        ["serve", "--config", "a", "--log-level", "loud"], ["serve", "--config", "a", "--metrics", "on"],
        ["serve", "--config", "a", "--access-log", ""], ["serve", "--config", "a", "--access-log-format", ""],
        ["serve", "--config", "a", "--access-log-format", "%NOPE%"],
        ["serve", "--config", "a", "--gateway-selector", "istio"],
        ["serve", "--config", "a", "--gateway-selector", "=a"],
        ["serve", "--config", "a", "--gateway-selector", "a=b,a=c"],
        ["serve", "--config", "a", "--gateway-selector", ""],
        ["serve", "--config", "a", "--gateway-namespace", "Edge"],
        ["serve", "--config", "a", "--root-namespace", "a.b"], ["serve", "--config", "a", "--domain-suffix", "local."],
        ["serve", "--config", "a", "--mesh-listen", "15080"],
        ["serve", "--config", "a", "--mesh-listen", "127.0.0.1:0"],
        ["serve", "--config", "a", "--reference-grace", "2"], ["serve", "--config", "a", "--reference-grace=-1s"],
        ["serve", "--config", "a", "--reference-grace", "2h"],
        ["serve", "--config", "a", "--kubernetes"], ["serve", "a"], ["healthcheck", "--health", "x"],
        ["healthcheck", "--health", "127.0.0.1:0"], ["routes", "--admin", "127.0.0.1:0"], ["routes", "-o", "yaml"],
        ["analyze"], ["analyze", "a", "-o", "text"], ["analyze", "a", "-S", "IST0101"],
        ["analyze", "a", "--use-kube=true"],
        ["analyze", "a", "--failure-threshold", "bad"], ["analyze", "a", "--color", "red"],
        ["clusters", "--port", "http"], ["endpoints", "x"], ["log", "--level", "loud"],
        ["log", "--level", "nobody=info"], ["demo", "--port", "0"], ["nonsense"],
    ])
    func whatIsWrongIsAUsageError(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try Weir.parseAsRoot(arguments) }
        if let error { #expect(Weir.exitCode(for: error).rawValue == ExitStatus.usage.rawValue) }
    }

    @Test func theAnalysisTakesIstioctlsFlags() throws {
        let arguments = [
            "analyze", "--use-kube=false", "-A", "-R", "a.yaml", "-", "-S", "IST0101=VirtualService x.ns", "-n", "shop",
            "-o",
            "json", "--failure-threshold", "warning", "--output-threshold=Error", "--color=false", "--ignore-unknown",
        ]
        let options = try #require(try Weir.parseAsRoot(arguments) as? Analyze).options()
        #expect(options.paths == ["a.yaml", "-"])
        #expect(options.isRecursive && options.ignoresUnknown && !options.isColoured)
        #expect(options.namespace == "shop")
        #expect(options.output == .json)
        #expect(options.failureThreshold == .warning && options.outputThreshold == .error)
        #expect(try options.suppressions == [AnalysisSuppression("IST0101=VirtualService x.ns")])
    }

    @Test func metricsAreServedUnlessTurnedOff() throws {
        #expect(try options("--config", "a").metrics == HostPort(host: "0.0.0.0", port: 15090))
        #expect(try options("--config", "a", "--metrics", "off").metrics == nil)
    }
}

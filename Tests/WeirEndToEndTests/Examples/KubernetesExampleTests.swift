import ArgumentParser
import Foundation
import Testing
import WeirServer
import WeirTestSupport
import Yams

@testable import weir

/// What `kubectl apply -k config/kubernetes` would send, as far as it can be tried without a cluster.
///
/// The manifests agree with each other and with the program, and the ConfigMap's documents serve what they promise.
@Suite struct KubernetesExampleTests {
    /// One manifest; a path's steps are keys, and indices of sequences.
    private struct Manifest {
        let root: Any

        subscript(path: String) -> Any? {
            path.split(separator: ".").reduce(root as Any?) { value, step in
                if let list = value as? [Any] { return Int(step).flatMap { $0 < list.count ? list[$0] : nil } }
                return (value as? [String: Any])?[String(step)]
            }
        }

        func text(_ path: String) -> String? { self[path] as? String }
        func number(_ path: String) -> Int? { self[path] as? Int }
        func list(_ path: String) -> [Manifest] { (self[path] as? [Any] ?? []).map { Manifest(root: $0) } }
        func labels(_ path: String) -> [String: String] { self[path] as? [String: String] ?? [:] }

        var kind: String { text("kind") ?? "" }
        var name: String { text("metadata.name") ?? "" }
    }

    private let manifests: [Manifest]
    private var deployment: Manifest { get throws { try only("Deployment", "weir") } }
    private var container: Manifest {
        get throws { try #require(try deployment.list("spec.template.spec.containers").first) }
    }

    /// Debian's kubectl renders them, which is the same code that `kubectl apply -k` runs.
    init() throws {
        let kubectl = try ChildProcess("/usr/bin/env", ["kubectl", "kustomize", Example.directory + "/kubernetes"])
        let status = try kubectl.end()
        try #require(status == 0, "kubectl kustomize: \(kubectl.errors)")
        manifests = try Array(Yams.load_all(yaml: kubectl.output)).map { Manifest(root: $0) }
    }

    private func only(_ kind: String, _ name: String) throws -> Manifest {
        let found = manifests.filter { $0.kind == kind && $0.name == name }
        try #require(found.count == 1, "one \(kind) \(name)")
        return found[0]
    }

    /// The container's arguments as the program reads them.
    private func options() throws -> ServerOptions {
        let arguments = try #require(try container["args"] as? [String])
        return try #require(try Weir.parseAsRoot(arguments) as? Serve).options()
    }

    @Test func everythingIsInOneNamespaceAndNothingElseIsRendered() {
        let names = manifests.map { "\($0.kind) \($0.name)" }.sorted()
        #expect(
            names == [
                "ConfigMap weir", "Deployment reviews-v1", "Deployment reviews-v2", "Deployment weir",
                "Service reviews-v1", "Service reviews-v2", "Service weir",
            ])
        #expect(manifests.allSatisfy { $0.text("metadata.namespace") == "default" })
    }

    @Test func theProgramTakesItsArgumentsAndPortsMeet() throws {
        let options = try options()
        let container = try container
        var ports: [String: Int] = [:]
        for port in container.list("ports") { ports[port.text("name") ?? ""] = port.number("containerPort") }
        #expect(ports["http"] == options.portMap[80])
        #expect(ports["health"] == options.health?.port && options.health?.host == "0.0.0.0")
        #expect(ports["http-envoy-prom"] == options.metrics?.port && options.metrics?.host == "0.0.0.0")
        let annotations = try deployment.labels("spec.template.metadata.annotations")
        #expect(annotations["prometheus.io/port"] == options.metrics.map { "\($0.port)" })
        let service = try only("Service", "weir")
        #expect(service.labels("spec.selector") == (try deployment.labels("spec.template.metadata.labels")))
        #expect(service.list("spec.ports").map { $0.number("port") } == [80])
        #expect(service.list("spec.ports").map { $0.text("targetPort") } == ["http"])
    }

    @Test func probesAskWhatTheHealthPortAnswers() throws {
        let container = try container
        for (probe, path) in [("startup", "ready"), ("readiness", "ready"), ("liveness", "live")] {
            #expect(container.text("\(probe)Probe.httpGet.path") == "/healthz/\(path)")
            #expect(container.text("\(probe)Probe.httpGet.port") == "health")
        }
    }

    @Test func podsHaveTimeToDrainAndReadTheConfigMap() throws {
        let options = try options()
        let pod = "spec.template.spec"
        let grace = try #require(try deployment.number("\(pod).terminationGracePeriodSeconds"))
        #expect(Double(grace) > options.drainDelaySeconds + options.drainSeconds)
        #expect(try container.list("volumeMounts").map { $0.text("mountPath") ?? "" } == options.configPaths)
        #expect(try deployment.list("\(pod).volumes").map { $0.text("configMap.name") } == ["weir"])
        #expect(try deployment["\(pod).securityContext.runAsNonRoot"] as? Bool == true)
        #expect(try container["securityContext.readOnlyRootFilesystem"] as? Bool == true)
    }

    @Test func eachVersionHasAHeadlessServiceThatItsPodsAnswer() throws {
        let documents = try configuration().values.joined(separator: "\n")
        for version in ["v1", "v2"] {
            let name = "reviews-\(version)"
            #expect(documents.contains("- address: \(name).default.svc.cluster.local\n"))
            let service = try only("Service", name)
            #expect(service.text("spec.clusterIP") == "None")
            let pods = try only("Deployment", name)
            let labels = pods.labels("spec.template.metadata.labels")
            #expect(service.labels("spec.selector") == labels && pods.labels("spec.selector.matchLabels") == labels)
            let port = try #require(service.list("spec.ports").first?.number("port"))
            #expect(documents.contains("- number: \(port)\n"))
            let containers = pods.list("spec.template.spec.containers")
            #expect(containers.flatMap { $0.list("ports") }.map { $0.number("containerPort") } == [port])
        }
    }

    @Test func itsDocumentsSendATenthToTheCanaryAndJasonToo() throws {
        let backends = try Backends(2)
        let directory = try TemporaryDirectory()
        for (file, text) in try configuration() {
            var text = text
            for (index, port) in backends.ports.enumerated() {
                text = text.replacingOccurrences(
                    of: "- address: reviews-v\(index + 1).default.svc.cluster.local\n",
                    with: "- address: 127.0.0.1\n    ports:\n      http: \(port)\n")
            }
            try directory.write(file, text)
        }
        let server = try RunningServer.live(directory)
        #expect(try server.status().problems.map(\.message) == [])
        let host = "reviews.example.com"
        let counts = try server.tally(1_500, "/reviews/0", host: host)
        #expect(isWithinFiveSigma(counts["v2"], of: 1_500, share: 0.1), "\(counts)")
        #expect((counts["v1"] ?? 0) + (counts["v2"] ?? 0) == 1_500)
        #expect(try server.tally(30, "/reviews/0", host: host, headers: [("end-user", "jason")]) == ["v2": 30])
    }

    /// The ConfigMap's files.
    private func configuration() throws -> [String: String] { try only("ConfigMap", "weir").labels("data") }
}

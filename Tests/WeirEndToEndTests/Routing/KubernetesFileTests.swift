import Testing
import WeirTestSupport

/// Services, EndpointSlices and Pods as files, as `kubectl get -o yaml` writes them.
@Suite struct KubernetesFileTests {
    private static let service = """
        apiVersion: v1
        kind: Service
        metadata: {name: reviews, namespace: default}
        spec:
          clusterIP: 10.96.0.17
          ports: [{name: http, port: 9080, protocol: TCP, targetPort: web}]
          selector: {app: reviews}
        """

    private static func pod(_ name: String, version: String, address: String) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: \(name)
          namespace: default
          labels: {app: reviews, version: \(version)}
        spec: {containers: [{name: reviews, image: reviews}]}
        status: {phase: Running, podIP: \(address)}

        """
    }

    private static func slice(port: Int, _ endpoints: [(address: String, pod: String, ready: Bool)]) -> String {
        let list = endpoints.map {
            """
            - addresses: [\($0.address)]
              conditions: {ready: \($0.ready), serving: \($0.ready), terminating: false}
              targetRef: {kind: Pod, name: \($0.pod), namespace: default}

            """
        }
        return """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: reviews-abcde
              namespace: default
              labels: {kubernetes.io/service-name: reviews}
            addressType: IPv4
            ports: [{name: http, port: \(port), protocol: TCP}]
            endpoints:

            """ + list.joined()
    }

    private func directory(_ origin: EchoOrigin) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        try directory.write(
            "routes.yaml",
            [
                Documents.gateway(),
                Documents.virtualService(
                    http: """
                        - match: [{headers: {end-user: {exact: jason}}}]
                          route: [{destination: {host: reviews, subset: v2}}]
                        - route: [{destination: {host: reviews, subset: v1, port: {number: 9080}}}]
                        """), Documents.destinationRule("reviews", versions: ["v1", "v2"], balancer: "ROUND_ROBIN"),
            ].asFile)
        try directory.write("service.yaml", Self.service)
        try directory.write(
            "pods.yaml",
            [
                Self.pod("a", version: "v1", address: "127.0.3.1"), Self.pod("b", version: "v1", address: "127.0.3.2"),
                Self.pod("c", version: "v2", address: "127.0.3.3"), Self.pod("d", version: "v2", address: "127.0.3.4"),
            ].asFile)
        try directory.write("slices.yaml", slices(origin, isDReady: false))
        return directory
    }

    private func slices(_ origin: EchoOrigin, isDReady: Bool) -> String {
        Self.slice(
            port: origin.port,
            [
                ("127.0.3.1", "a", true), ("127.0.3.2", "b", true), ("127.0.3.3", "c", true),
                ("127.0.3.4", "d", isDReady),
            ])
    }

    @Test func podLabelsMakeTheSubsetsAndOnlyReadyPodsServe() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let server = try RunningServer.live(directory(origin))
        let everybody = try server.tally(100)
        #expect(Set(everybody.keys) == ["127.0.3.1", "127.0.3.2"] && everybody.values.reduce(0, +) == 100)
        #expect(try server.tally(20, headers: [("end-user", "jason")]) == ["127.0.3.3": 20])
        let status = try server.status()
        #expect(status.resources["Service"] == 1 && status.resources["EndpointSlice"] == 1)
        #expect(status.resources["Pod"] == 4 && status.errors.isEmpty)
    }

    @Test func aPodThatBecomesReadyServesAtOnce() throws {
        let origin = try EchoOrigin()
        defer { origin.stop() }
        let server = try RunningServer.live(directory(origin))
        try server.reload { try server.directory.replace("slices.yaml", slices(origin, isDReady: true)) }
        #expect(
            try Set(server.tally(50, headers: [("end-user", "jason")]).keys) == ["127.0.3.3", "127.0.3.4"])
    }
}

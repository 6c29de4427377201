import Foundation
import Testing
import WeirTestSupport

/// What a route costs in memory, with everything that is kept of it: the document's model, the plan and its index.
@Suite struct RouteMemoryTests {
    private static let hosts = 2
    private static let routesPerHost = 1_000

    @Test(.disabled(if: TestScale.isSmall, "sanitizers keep books of their own about every byte"))
    func aRouteTakesAtMostThreeKiB() throws {
        let few = try residentKiB(hosts: Self.hosts, routesPerHost: 1)
        let many = try residentKiB(hosts: Self.hosts, routesPerHost: Self.routesPerHost + 1)
        let each = Double(many - few) / Double(Self.hosts * Self.routesPerHost)
        #expect(each <= 3 && each > 0.1, "\(each) KiB a route: \(few) KiB for few, \(many) KiB for many")
    }

    /// The most that a process of its own has had resident once it is ready.
    private func residentKiB(hosts: Int, routesPerHost: Int) throws -> Int {
        let directory = try TemporaryDirectory()
        let services = (0..<hosts).map { virtualService($0, routes: routesPerHost) }
        try directory.write(
            "all.yaml", ([Documents.gateway(), Documents.serviceEntry("reviews", ports: [1])] + services).asFile)
        let process = try ChildProcess(
            ChildProcess.built("weir"),
            [
                "serve", "--config", directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--metrics", "off",
                "--listen-map", "80=\(try TestPort.free())", "--bind", "127.0.0.1", "--workers", "1",
            ])
        try eventually("the program is ready; it said:\n\(process.errors)", seconds: 60) {
            process.errors.contains(" notice ready")
        }
        let status = try String(contentsOfFile: "/proc/\(process.id)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        process.signal(SIGTERM)
        #expect(try process.end(seconds: 60) == 0)
        return try #require(Int(line.filter(\.isNumber)))
    }

    private func virtualService(_ number: Int, routes: Int) -> String {
        let rules = (0..<routes).map { route in
            "- match: [{headers: {x-user: {exact: user-\(route)}}}]\n  route: [{destination: {host: reviews}}]"
        }
        return Documents.virtualService(
            "host-\(number)", hosts: ["host-\(number).example.com"], http: rules.joined(separator: "\n"))
    }
}

import Foundation
import Testing
import WeirTestSupport

/// The program with few descriptors, and with less than the usual ones.
@Suite struct DescriptorTests {
    /// `weir serve` with at most so many descriptors, ready.
    private func serve(_ directory: TemporaryDirectory, descriptors: Int) throws -> (process: ChildProcess, port: Int) {
        var said = ""
        for _ in 0..<20 {
            let port = try TestPort.free()
            let process = try ChildProcess(
                "/bin/sh",
                [
                    "-c", "ulimit -n \(descriptors) && exec \"$@\"", "sh", ChildProcess.built("weir"), "serve",
                    "--config",
                    directory.path, "--admin", "127.0.0.1:0", "--health", "off", "--listen-map", "80=\(port)",
                    "--bind", "127.0.0.1", "--workers", "2",
                ])
            var status: Int32?
            try eventually("the program is ready or has ended", seconds: 60) {
                status = process.exitStatus()
                return status != nil || process.errors.contains(" notice ready")
            }
            if status == nil { return (process, port) }
            said = process.errors
            guard said.contains("in use") else { break }
        }
        throw TestSocketError(description: "weir serve did not start:\n\(said)")
    }

    @Test func aFloodOfConnectionsLeavesDescriptorsForEndpointsAndFiles() throws {
        let origins = try Backends(2)
        func documents(_ version: Int) -> String {
            [
                Documents.gateway(), Documents.virtualService("routes", hosts: ["*"], to: "shop"),
                Documents.serviceEntry("shop", ports: [origins.ports[version]]),
            ].asFile
        }
        let directory = try TemporaryDirectory()
        try directory.write("all.yaml", documents(0))
        let (process, port) = try serve(directory, descriptors: 200)
        var client = try TestClient(port: port)
        #expect(try client.request()["x-backend"] == "v1")
        // More than there are descriptors; each is kept open from here.
        var flood: [TestClient] = []
        for _ in 0..<400 { flood.append(try TestClient(port: port)) }
        try eventually("those over the limit are closed") { flood.count { $0.socket.peerHasGone } >= 345 }
        let kept = flood.count { !$0.socket.peerHasGone }
        // Two thirds of one half, seven eighths of that; the first client is one of them.
        #expect(kept == 55, "\(kept) connections were kept")
        // There is room for what a change of the files and a new endpoint need.
        try directory.replace("all.yaml", documents(1))
        try eventually("the change is served") { try client.request()["x-backend"] == "v2" }
        flood = []
        try eventually("new clients are served again") {
            guard var late = try? TestClient(port: port) else { return false }
            return (try? late.request().status) == 200
        }
        process.signal(15)
        #expect(try process.end() == 0)
    }

    @Test func noSocketTakesThePlaceOfAClosedStandardStream() throws {
        let directory = try TemporaryDirectory()
        for _ in 0..<20 {
            let port = try TestPort.free()
            let process = try ChildProcess(
                "/bin/sh",
                [
                    "-c", "exec <&- >&- 2>&-; exec \"$@\"", "sh", ChildProcess.built("weir"), "serve", "--config",
                    directory.path, "--admin", "127.0.0.1:\(port)", "--health", "off", "--metrics", "off",
                ])
            var status: Int32?
            try eventually("the program is ready or has ended", seconds: 60) {
                status = process.exitStatus()
                guard status == nil, var admin = try? TestClient(port: port) else { return status != nil }
                return (try? admin.request("GET", "/ready").status) == 200
            }
            // Somebody else took the port in between; with nowhere to say so, the program only ends.
            guard status == nil else { continue }
            let streams = (0...2).map { descriptor in
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.id)/fd/\(descriptor)")
            }
            #expect(streams == ["/dev/null", "/dev/null", "/dev/null"])
            process.signal(15)
            #expect(try process.end() == 0)
            return
        }
        Issue.record("no port was free for long enough")
    }
}

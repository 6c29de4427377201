import Foundation
import Testing
import WeirEngine
import WeirTestSupport

@testable import WeirServer

/// The command `weir`, run as users run it; killed with the object.
final class WeirProcess {
    private let process = Process()
    private let directory: TemporaryDirectory

    /// Starts the binary built beside this test.
    init(_ arguments: [String]) throws {
        directory = try TemporaryDirectory()
        let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(fileURLWithPath: here).deletingLastPathComponent().appendingPathComponent("weir")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try Self.file(directory.path("out"))
        process.standardError = try Self.file(directory.path("err"))
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    private static func file(_ path: String) throws -> FileHandle {
        try Data().write(to: URL(fileURLWithPath: path))
        return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }

    var output: String { (try? String(contentsOfFile: directory.path("out"), encoding: .utf8)) ?? "" }
    var log: String { (try? String(contentsOfFile: directory.path("err"), encoding: .utf8)) ?? "" }
    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// The exit status; fails when the process does not end in time.
    func status() throws -> Int32 {
        try eventually("weir ends; its log:\n\(log)", seconds: 30) { !process.isRunning }
        #expect(process.terminationReason == .exit)
        return process.terminationStatus
    }

    /// The admin server's port, which the process printed because it was started with port 0.
    func adminPort() throws -> Int {
        var port: Int?
        try eventually("the admin address is printed", seconds: 30) {
            port = output.split(separator: "\n").first { $0.hasPrefix("admin 127.0.0.1:") }
                .flatMap { Int($0.split(separator: ":").last ?? "") }
            return port != nil || !process.isRunning
        }
        return try #require(port, "\(log)")
    }

    /// The status of an answer of the admin server; `nil` when it cannot be reached.
    func admin(_ path: String, port: Int) -> Int? {
        guard var client = try? TestClient(port: port) else { return nil }
        return try? client.request("GET", path).status
    }
}

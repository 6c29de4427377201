import Testing
import WeirTestSupport

/// The ways files change: every one is followed, and no request fails on the way.
@Suite struct FileChangeTests {
    private let backends: Backends
    private let directory: TemporaryDirectory

    init() throws {
        backends = try Backends(2)
        directory = try TemporaryDirectory()
        try directory.write("frame.yaml", frame)
    }

    private var frame: String {
        [
            Documents.gateway(), Documents.destinationRule("shop", versions: ["v1", "v2"]),
            Documents.serviceEntry("shop", ports: backends.ports),
        ].asFile
    }

    private func routes(to version: String) -> String {
        Documents.virtualService(http: "- route: [{destination: {host: shop, subset: \(version)}}]")
    }

    /// Changes something while one client keeps asking; no answer may be anything but a 200.
    private func change(_ server: RunningServer, expecting version: String, _ change: () throws -> Void) throws {
        var client = try server.client()
        // The change before this one may still be on its way to this connection's worker.
        try eventually("the former version is in force") { try client.request()["x-backend"] != version }
        try change()
        try eventually("the change is in force") {
            let answer = try client.request("GET", "/during")
            #expect(answer.status == 200 && answer.text == "/during")
            return answer["x-backend"] == version
        }
    }

    @Test func aFileWrittenInPlaceIsFollowed() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        let server = try RunningServer.live(directory)
        try change(server, expecting: "v2") { try directory.write("routes.yaml", routes(to: "v2")) }
    }

    @Test func anEditorsRenameIsFollowed() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        let server = try RunningServer.live(directory)
        try change(server, expecting: "v2") {
            try directory.write("routes.yaml~", routes(to: "v1"))
            try directory.write(".routes.yaml.swp", routes(to: "v2"))
            try directory.rename(".routes.yaml.swp", to: "routes.yaml")
        }
        #expect(try server.status().problems.isEmpty)
    }

    @Test func anEditorThatMovesTheOldFileAsideIsFollowed() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        let server = try RunningServer.live(directory)
        try directory.rename("routes.yaml", to: "routes.yaml~")
        // Should the server look just here, it finds no file: a 404 would be right.
        try directory.write("routes.yaml", routes(to: "v2"))
        try directory.remove("routes.yaml~")
        try eventually("the change is in force") { try server.get()["x-backend"] == "v2" }
    }

    @Test func aConfigMapsLinkSwapIsFollowed() throws {
        for (number, version) in ["v1", "v2"].enumerated() {
            try directory.makeDirectory("..\(number)")
            try directory.write("..\(number)/routes.yaml", routes(to: version))
        }
        try directory.link("..data", to: "..0")
        try directory.link("routes.yaml", to: "..data/routes.yaml")
        let server = try RunningServer.live(directory)
        try change(server, expecting: "v2") {
            try directory.link("..data_tmp", to: "..1")
            try directory.rename("..data_tmp", to: "..data")
        }
        try change(server, expecting: "v1") {
            try directory.link("..data_tmp", to: "..0")
            try directory.rename("..data_tmp", to: "..data")
        }
    }

    @Test func aDeletedFileTakesItsRoutesAlong() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        try directory.write(
            "more.yaml", Documents.virtualService("more", hosts: ["more.example.com"], to: "shop"))
        let server = try RunningServer.live(directory)
        #expect(try server.get().status == 200)
        try server.reload { try directory.remove("routes.yaml") }
        #expect(try server.get().status == 404)
        #expect(try server.get(host: "more.example.com").status == 200)
        #expect(try server.status().resources["VirtualService"] == 1)
    }

    @Test func aFileTruncatedAndWrittenAgainIsNeverSeenEmpty() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        let server = try RunningServer.live(directory)
        let port = try server.port()
        let mayEnd = TestSignal()
        let client = TestCrew(1) { _ in
            var client = try TestClient(port: port)
            while !mayEnd.isRaised {
                let answer = try client.request()
                guard answer.status == 200 else { throw TestSocketError(description: answer.startLine) }
            }
        }
        for version in ["v2", "v1", "v2"] {
            try change(server, expecting: version) {
                try directory.write("routes.yaml", "")
                try directory.write("routes.yaml", routes(to: version))
            }
        }
        mayEnd.raise()
        try client.join()
    }

    /// The server has looked at the empty file and waits for what comes.
    @Test func anEmptyFileIsGivenHalfASecond() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        let server = try RunningServer.live(directory)
        var client = try server.client()
        let start = ContinuousClock.now
        try directory.write("routes.yaml", "")
        // Once this is in force, the empty file has been seen too.
        try server.reload {
            try directory.replace(
                "other.yaml", Documents.virtualService("other", hosts: ["other.example.com"], to: "shop"))
        }
        while true {
            let status = try client.request().status
            // An answer that came later says nothing; on a busy machine that may be the first.
            guard ContinuousClock.now - start < .milliseconds(400) else { break }
            try #require(status == 200)
        }
        try directory.write("routes.yaml", routes(to: "v2"))
        try eventually("the new content is in force") { try server.get()["x-backend"] == "v2" }
    }

    @Test func aFileThatStaysEmptyCountsAsEmpty() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        let server = try RunningServer.live(directory)
        try server.reload { try directory.write("routes.yaml", "") }
        #expect(try server.get().status == 404)
    }

    @Test func onlyConfigurationFilesCount() throws {
        try directory.write("routes.yaml", routes(to: "v1"))
        let server = try RunningServer.live(directory)
        try directory.write("notes.txt", "kind: [unclosed")
        try directory.write(".hidden.yaml", "kind: [unclosed")
        try directory.write("routes.yaml~", "kind: [unclosed")
        // What comes last is followed, so what came before was passed over.
        try server.reload { try directory.replace("routes.yaml", routes(to: "v2")) }
        #expect(try server.get()["x-backend"] == "v2")
        let status = try server.status()
        #expect(status.problems.isEmpty && status.generation == 2)
        #expect(status.files.map(\.path) == ["frame.yaml", "routes.yaml"].map(directory.path(_:)))
    }

    @Test func anEmptyDirectoryIsReadyAndFillsLater() throws {
        try directory.remove("frame.yaml")
        let server = try RunningServer.live(directory)
        #expect(try server.admin("/ready").status == 200)
        #expect(try server.status().listeners.isEmpty)
        try directory.write("frame.yaml", frame)
        try directory.write("routes.yaml", routes(to: "v2"))
        try eventually("the new files serve") {
            guard !TestPort.isFree(try server.port()) else { return false }
            return try server.get()["x-backend"] == "v2"
        }
    }
}

import Glibc
import Testing
import WeirConfig
import WeirEngine

@testable import WeirSources

/// Files that resources name: read when they are asked for, and followed.
@Suite struct CertificateFilesTests {
    /// Files below a directory, with a loop that runs only while a test waits.
    private final class Fixture {
        let directory = TestDirectory()
        let loop = ControlLoop()
        let files: CertificateFiles
        private(set) var changes = 0

        init() {
            files = CertificateFiles(loop: loop)
            files.changed = { [unowned self] in
                changes += 1
                loop.handle.stop()
            }
        }

        deinit { files.stop() }

        func text(_ name: String) -> String? {
            guard case .content(let bytes) = files.content(of: directory.place(name)) else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// Asks for the files, and for no others from then on.
        func keep(_ names: String...) {
            for name in names { _ = files.content(of: directory.place(name)) }
            files.keep(Set(names.map { directory.place($0) }), for: .gateways)
        }

        /// Runs the loop until the condition holds; `false` when it did not in time.
        func sees(_ condition: () -> Bool) -> Bool {
            var isLate = false
            let limit = loop.schedule(after: StoreFixture.deadlineSeconds) { [loop] in
                isLate = true
                loop.handle.stop()
            }
            defer { limit.cancel() }
            while !condition() {
                if isLate { return false }
                loop.run()
            }
            return true
        }
    }

    @Test func aFileIsReadWhenItIsAskedForAndFollowed() {
        let fixture = Fixture()
        fixture.directory.write("a", "one")
        fixture.keep("a", "b")
        #expect(fixture.text("a") == "one")
        #expect(fixture.files.content(of: fixture.directory.place("b")) == .missing)
        fixture.directory.write("a", "two")
        #expect(fixture.sees { fixture.text("a") == "two" })
        fixture.directory.replace("a", "three")
        #expect(fixture.sees { fixture.text("a") == "three" })
        fixture.directory.write("b", "four")
        #expect(fixture.sees { fixture.text("b") == "four" })
        fixture.directory.remove("b")
        #expect(fixture.sees { fixture.files.content(of: fixture.directory.place("b")) == .missing })
        #expect(fixture.files.version >= 4)
        #expect(fixture.files.diagnostics.isEmpty)
    }

    @Test func theSwapOfAMountedSecretIsSeen() {
        let fixture = Fixture()
        for (folder, text) in [("..1", "one"), ("..2", "two")] {
            fixture.directory.makeDirectory(folder)
            fixture.directory.write("\(folder)/tls.crt", text)
        }
        fixture.directory.link("..data", to: "..1")
        fixture.directory.link("tls.crt", to: "..data/tls.crt")
        fixture.keep("tls.crt")
        #expect(fixture.text("tls.crt") == "one")
        fixture.directory.swapLink("..data", to: "..2")
        #expect(fixture.sees { fixture.text("tls.crt") == "two" })
        // What it leads to now is followed as well.
        fixture.directory.write("..2/tls.crt", "three")
        #expect(fixture.sees { fixture.text("tls.crt") == "three" })
    }

    @Test func aFolderThatComesIsFollowed() {
        let fixture = Fixture()
        fixture.keep("folder/tls.crt")
        fixture.directory.makeDirectory("folder")
        fixture.directory.write("folder/tls.crt", "one")
        #expect(fixture.sees { fixture.text("folder/tls.crt") == "one" })
    }

    @Test func aFileIsReadAgainWhenTheOperatorAsks() {
        let fixture = Fixture()
        fixture.directory.write("a", "one")
        fixture.keep("a")
        #expect(!fixture.files.reload())
        fixture.directory.write("a", "two")
        #expect(fixture.files.reload())
        #expect(fixture.text("a") == "two")
        #expect(fixture.changes == 0)
    }

    @Test func whatNobodyNeedsIsForgotten() {
        let fixture = Fixture()
        fixture.directory.write("a", "one")
        fixture.keep("a")
        let version = fixture.files.version
        fixture.keep()
        fixture.directory.write("a", "two")
        // Read as it is now, which is no change of anything that is known.
        #expect(fixture.text("a") == "two")
        #expect(fixture.files.version == version)
    }

    @Test func aFileOfTwoUsersIsKeptForTheOther() {
        let fixture = Fixture()
        fixture.directory.write("a", "one")
        fixture.keep("a")
        fixture.files.keep([fixture.directory.place("a")], for: .clusters)
        fixture.keep()
        fixture.directory.write("a", "two")
        #expect(fixture.sees { fixture.text("a") == "two" })
    }

    @Test func aFileThatIsTooLargeIsNotRead() {
        let fixture = Fixture()
        fixture.directory.write("a", String(repeating: "x", count: CertificateFiles.maxFileBytes))
        fixture.directory.write("b", String(repeating: "x", count: CertificateFiles.maxFileBytes + 1))
        #expect(fixture.text("a") != nil)
        guard case .unreadable(let reason) = fixture.files.content(of: fixture.directory.place("b")) else {
            Issue.record("the file is read")
            return
        }
        #expect(reason.contains("larger than 1 MiB"))
    }

    @Test func whatIsNoFileIsTold() {
        let fixture = Fixture()
        guard case .unreadable(let reason) = fixture.files.content(of: fixture.directory.path) else {
            Issue.record("a directory is read")
            return
        }
        #expect(reason.contains("no regular file"))
    }

    @Test func thereAreOnlySoManyFiles() {
        let fixture = Fixture()
        for number in 0..<CertificateFiles.maxFiles {
            #expect(fixture.files.content(of: "/nowhere/\(number)") == .missing)
        }
        guard case .unreadable(let reason) = fixture.files.content(of: "/nowhere/x") else {
            Issue.record("there is no limit")
            return
        }
        #expect(reason.contains("More than 10000 files"))
    }
}

import Glibc
import Testing
import WeirConfig
import WeirEngine

@testable import WeirSources

/// Saves, swaps, removals: what editors, shells and ConfigMaps do to files.
@Suite struct FileSourceTests {
    @Test func deliversWhatThereIsBeforeStartReturns() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.joined(Document.rule("one"), Document.rule("two"))) }
        #expect(fixture.last.names == ["one", "two"])
        #expect(fixture.last.documentCount == 2)
    }

    @Test func anEmptyDirectoryDeliversNothing() {
        let fixture = StoreFixture { _ in }
        #expect(fixture.last.names.isEmpty)
        #expect(fixture.last.diagnostics.isEmpty)
        #expect(fixture.last.documentCount == 0)
    }

    @Test func seesASaveByRename() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one", host: "before")) }
        fixture.directory.replace("a.yaml", Document.rule("one", host: "after"))
        #expect(fixture.sees { $0.host("one") == "after" })
    }

    @Test func seesASaveInPlace() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one", host: "aaa")) }
        // Same size, and maybe the same tick of the file system's clock.
        fixture.directory.write("a.yaml", Document.rule("one", host: "bbb"))
        #expect(fixture.sees { $0.host("one") == "bbb" })
    }

    @Test func seesNewAndRemovedFiles() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        fixture.directory.write(
            "b.json",
            #"{"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "#
                + #""metadata": {"name": "two"}, "spec": {"host": "x"}}"#)
        #expect(fixture.sees { $0.names == ["one", "two"] })
        fixture.directory.remove("a.yaml")
        #expect(fixture.sees { $0.names == ["two"] })
    }

    @Test func seesAFileMovedAway() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        #expect(rename(fixture.directory.place("a.yaml"), fixture.directory.place("a.yaml.off")) == 0)
        #expect(fixture.sees { $0.names.isEmpty })
    }

    @Test func readsOneLevelAndNoHiddenOrTemporaryFiles() {
        let fixture = StoreFixture { directory in
            directory.write("b.yml", Document.rule("b"))
            directory.write("a.yaml", Document.rule("a"))
            for name in [".hidden.yaml", "#lock.yaml", "a.yaml~", "a.yaml.swp", ".#a.yaml", "notes.txt", "4913"] {
                directory.write(name, Document.rule("unwanted"))
            }
            directory.makeDirectory("below")
            directory.write("below/c.yaml", Document.rule("unwanted"))
            directory.makeDirectory("directory.yaml")
        }
        #expect(fixture.last.names == ["a", "b"])
        #expect(fixture.last.files.map(\.path) == ["a.yaml", "b.yml"].map(fixture.directory.place))
        #expect(fixture.last.diagnostics.isEmpty)
    }

    @Test func aFileThatTwoPathsLeadToIsReadOnce() {
        let fixture = StoreFixture(paths: ["a.yaml", ""]) { directory in
            directory.write("a.yaml", Document.rule("one"))
            directory.link("b.yaml", to: "a.yaml")
        }
        #expect(fixture.last.names == ["one"])
        #expect(fixture.last.diagnostics.isEmpty)
    }

    @Test func anOperatorsReloadDeliversOnlyDifferences() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one")) }
        #expect(!fixture.store.reload())
        fixture.directory.write("a.yaml", Document.rule("one", host: "other"))
        #expect(fixture.store.reload())
        #expect(fixture.last.host("one") == "other")
        #expect(fixture.deliveries.count == 2)
    }

    @Test func lostEventsMakeItLookAtEverything() {
        let fixture = StoreFixture { $0.write("a.yaml", Document.rule("one", host: "before")) }
        // More events than the kernel queues (fs.inotify.max_queued_events), the one that matters last.
        let limit = 16_384
        for index in 0..<limit + 64 { fixture.directory.open(index.isMultiple(of: 2) ? "x.txt" : "y.txt").close() }
        fixture.directory.write("a.yaml", Document.rule("one", host: "after"))
        #expect(fixture.sees { $0.host("one") == "after" })
    }
}

/// Links in the way, as Kubernetes mounts ConfigMaps.
@Suite struct FileSourceLinkTests {
    private func mount(_ directory: TestDirectory) {
        directory.makeDirectory("..1")
        directory.write("..1/a.yaml", Document.rule("one", host: "first"))
        directory.link("..data", to: "..1")
        directory.link("a.yaml", to: "..data/a.yaml")
    }

    private func update(_ directory: TestDirectory) {
        directory.makeDirectory("..2")
        directory.write("..2/a.yaml", Document.rule("one", host: "second"))
        directory.swapLink("..data", to: "..2")
        TestDirectory.remove(directory.place("..1"))
    }

    @Test func seesAConfigMapSwap() {
        let fixture = StoreFixture(mount)
        #expect(fixture.last.names == ["one"])
        update(fixture.directory)
        #expect(fixture.sees { $0.host("one") == "second" })
        #expect(fixture.last.files.count == 1)
    }

    @Test func seesAConfigMapSwapUnderASingleFile() {
        let fixture = StoreFixture(paths: ["a.yaml"], mount)
        update(fixture.directory)
        #expect(fixture.sees { $0.host("one") == "second" })
        // And the swap after that, whose directory did not exist at the start.
        fixture.directory.makeDirectory("..3")
        fixture.directory.write("..3/a.yaml", Document.rule("one", host: "third"))
        fixture.directory.swapLink("..data", to: "..3")
        #expect(fixture.sees { $0.host("one") == "third" })
    }

    @Test func seesASingleFileReplacedAndItsTargetWritten() {
        let fixture = StoreFixture(paths: ["in/a.yaml"]) { directory in
            directory.makeDirectory("in")
            directory.makeDirectory("out")
            directory.write("out/real.yaml", Document.rule("one", host: "first"))
            directory.link("in/a.yaml", to: "../out/real.yaml")
        }
        fixture.directory.write("out/real.yaml", Document.rule("one", host: "second"))
        #expect(fixture.sees { $0.host("one") == "second" })
        fixture.directory.replace("in/a.yaml", Document.rule("one", host: "third"))
        #expect(fixture.sees { $0.host("one") == "third" })
    }

    @Test func aDirectoryThatVanishesKeepsItsResourcesUntilItIsBack() {
        let fixture = StoreFixture(paths: ["live"]) { directory in
            directory.makeDirectory("live")
            directory.write("live/a.yaml", Document.rule("one", host: "first"))
        }
        #expect(rename(fixture.directory.place("live"), fixture.directory.place("gone")) == 0)
        #expect(fixture.sees { !$0.diagnostics(.unreadableFile).isEmpty })
        #expect(fixture.last.names == ["one"])
        fixture.directory.makeDirectory("live")
        fixture.directory.write("live/b.yaml", Document.rule("two"))
        #expect(fixture.sees { $0.names == ["two"] })
        #expect(fixture.last.diagnostics.isEmpty)
    }

    @Test func aDirectoryLinkThatIsSwappedIsFollowed() {
        let fixture = StoreFixture(paths: ["current"]) { directory in
            for name in ["v1", "v2"] {
                directory.makeDirectory(name)
                directory.write(name + "/a.yaml", Document.rule("one", host: name))
            }
            directory.link("current", to: "v1")
        }
        #expect(fixture.last.host("one") == "v1")
        fixture.directory.swapLink("current", to: "v2")
        #expect(fixture.sees { $0.host("one") == "v2" })
    }

    @Test func aLinkLoopLeadsNowhere() {
        let directory = TestDirectory()
        directory.link("a", to: "b")
        directory.link("b", to: "a")
        #expect(PathState(of: directory.place("a")) == .unreachable(ELOOP))
        #expect(LinkTrail(following: directory.place("a")).places.count == 41)
    }

    @Test func aTrailHasEveryLinkAndTheEnd() {
        let directory = TestDirectory()
        mount(directory)
        let trail = LinkTrail(following: directory.path + "/./a.yaml")
        #expect(trail.places == ["a.yaml", "..data", "..1/a.yaml"].map(directory.place))
        #expect(LinkTrail(following: "/").end == "/")
        #expect(LinkTrail(following: "/nowhere/../at/all").end == "/at/all")
    }
}

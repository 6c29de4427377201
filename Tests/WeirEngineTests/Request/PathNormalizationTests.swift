import Testing

@testable import WeirEngine

@Suite("Path normalisation")
struct PathNormalizationTests {
    private func normalised(_ target: String) -> (path: String, target: String)? {
        let bytes = Array(target.utf8)
        let room = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        defer { room.deallocate() }
        room.update(from: bytes, count: bytes.count)
        guard let (path, whole) = PathNormalization.apply(room, count: bytes.count) else { return nil }
        func text(_ count: Int) -> String {
            String(decoding: UnsafeBufferPointer(start: room, count: count), as: UTF8.self)
        }
        return (text(path), text(whole))
    }

    @Test(
        "Dot segments are resolved, however they are written",
        arguments: [
            ("/", "/"), ("/a", "/a"), ("/a/b/", "/a/b/"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"), ("/.", "/"), ("/..", "/"), ("/../..", "/"), ("/../a", "/a"), ("/./a", "/a"),
            ("/a/../../../b", "/b"), ("/a/b/../../c", "/c"), ("/a/%2e%2E/b", "/b"), ("/a/.%2e", "/"), ("/%2e/a", "/a"),
            ("/public/../admin", "/admin"), ("/a//../b", "/a/b"), ("/a/..//b", "//b"), ("/...", "/..."),
            ("/a/.b/..c/d..", "/a/.b/..c/d.."), ("/.a", "/.a"), ("/a/..b", "/a/..b"), ("/a.", "/a."), ("/a..", "/a.."),
        ])
    func dotSegments(target: String, path: String) { #expect(normalised(target)?.path == path) }

    @Test(
        "Unreserved escapes are decoded once, all others stay",
        arguments: [
            ("/%61%5A%30%2d%5f%7E", "/aZ0-_~"), ("/a%2Fb", "/a%2Fb"), ("/a%2fb%5c", "/a%2fb%5c"),
            ("/%20%25%3f", "/%20%25%3f"),
            ("/%zz%6", "/%zz%6"), ("/%", "/%"), ("/%6", "/%6"), ("/%2561", "/%2561"), ("/%e9", "/%e9"),
            ("/%g%61", "/%ga"), ("/%2%67", "/%2g"), ("/%2f%65", "/%2fe"), ("/%25%32%65", "/%252e"),
            ("/%%32%65", "/%%32e"),
        ])
    func escapes(target: String, path: String) { #expect(normalised(target)?.path == path) }

    /// Decoded, `/%2%65%2%65/x` would be `/%2e%2e/x`: another path to whoever normalises it again.
    @Test(
        "An escape whose decoding would make another escape stays",
        arguments: ["/%%61", "/%2%65", "/%2%65%2%65/admin", "/%%32e", "/%%300"])
    func nestedEscapes(target: String) { #expect(normalised(target)?.path == target) }

    @Test(
        "Backslashes are slashes, repeated slashes stay",
        arguments: [
            ("/a\\b", "/a/b"), ("/a\\..\\b", "/b"), ("\\\\a", "//a"), ("//admin", "//admin"), ("/a///b", "/a///b"),
        ])
    func slashes(target: String, path: String) { #expect(normalised(target)?.path == path) }

    @Test("The query is not touched, the fragment goes")
    func queryAndFragment() {
        #expect(normalised("/a/../b?x=/../%61\\%00")! == ("/b", "/b?x=/../%61\\%00"))
        #expect(normalised("/a?b#c")! == ("/a", "/a?b"))
        #expect(normalised("/a#b?c")! == ("/a", "/a"))
        #expect(normalised("/a?")! == ("/a", "/a?"))
        #expect(normalised("/a?b?c")! == ("/a", "/a?b?c"))
        #expect(normalised("/a/..?b")! == ("/", "/?b"))
        #expect(normalised("/#")! == ("/", "/"))
    }

    @Test("An escaped NUL in the path is refused", arguments: ["/%00", "/a%00b", "/a/../%00", "/a%00?b"])
    func escapedNUL(target: String) { #expect(normalised(target) == nil) }

    @Test("Normalising twice changes nothing more, and never lengthens")
    func stable() {
        var random = FastRandom(seed: 9)
        let parts = ["/", "/", ".", "..", "a", "%2e", "%2E", "%61", "\\", "%2f", "%", "%2", "%65", "%zz", "?", "x/y"]
        var changed = 0
        for _ in 0..<20_000 {
            let target = "/" + (0..<random.below(9)).map { _ in parts[Int(random.below(UInt32(parts.count)))] }.joined()
            guard let once = normalised(target) else {
                Issue.record("\(target) was refused")
                continue
            }
            if once.target != target { changed += 1 }
            #expect(once.target.utf8.count <= target.utf8.count)
            #expect(once.path.hasPrefix("/") && !once.path.contains("\\"))
            let segments = once.path.split(separator: "/", omittingEmptySubsequences: false)
            #expect(!segments.contains(".") && !segments.contains(".."), "\(target)")
            guard let twice = normalised(once.target) else {
                Issue.record("\(once.target) was refused the second time")
                continue
            }
            #expect(twice == once, "\(target)")
        }
        #expect(changed > 5000)
    }
}

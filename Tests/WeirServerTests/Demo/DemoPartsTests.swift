import Foundation
import Testing
import WeirConfig

@testable import WeirServer

/// The demo's parts, without traffic.
@Suite struct DemoPartsTests {
    @Test func itsYAMLIsCleanAndItsDirectoryGoes() throws {
        let configuration = try DemoConfiguration(port: 8080, backendPorts: [1001, 1002, 1003])
        #expect(configuration.files.count == 4)
        for file in configuration.files {
            let path = configuration.directory + "/" + file.name
            #expect(try String(contentsOfFile: path, encoding: .utf8) == file.text)
            for document in DocumentSplitter.split(Array(file.text.utf8)) {
                let decoded = DocumentDecoder().decode(document, file: file.name)
                #expect(decoded.resources.count == 1)
                #expect(decoded.diagnostics.isEmpty, "\(decoded.diagnostics)")
            }
        }
        try "kept by an editor".write(toFile: configuration.directory + "/x~", atomically: false, encoding: .utf8)
        configuration.remove()
        #expect(!FileManager.default.fileExists(atPath: configuration.directory))
    }

    @Test(arguments: ReviewsVersion.all)
    func answersLookLikeBookinfos(version: ReviewsVersion) throws {
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(version.body.utf8)) as? [String: Any])
        #expect(answer["id"] as? String == "0")
        #expect((answer["podname"] as? String)?.hasPrefix("reviews-\(version.name)-") == true)
        #expect(answer["clustername"] as? String == "null")
        let reviews = try #require(answer["reviews"] as? [[String: Any]])
        #expect(reviews.count == 2)
        let rating = reviews[0]["rating"] as? [String: Any]
        #expect(rating?["color"] as? String == version.color)
        #expect(rating?["stars"] as? Int == (version.color == nil ? nil : 5))
    }

    @Test func theChartShowsSharesAndCounts() {
        var tally = TrafficTally()
        #expect(SplitChart.bars(tally).count == 3)
        tally.counts = [249, 0, 251]
        tally.seconds = 0.0421
        #expect(SplitChart.bars(tally)[0].hasSuffix("49.8 %    249"))
        #expect(SplitChart.bars(tally)[0].filter { $0 == "#" }.count == 20)
        let table = SplitChart.table(tally)
        #expect(table[3] == "  v3 red stars           251     50.2 %        50 %")
        #expect(table.last == "  500 requests in 42 ms, 0 failed")
    }

    @Test(arguments: [
        ([500, 0, 500], 0, true), ([450, 0, 550], 0, true), ([449, 0, 551], 0, false), ([500, 0, 499], 1, false),
        ([480, 60, 460], 0, false), ([0, 0, 0], 0, false),
    ])
    func judgesTheSplit(counts: [Int], failures: Int, isAsConfigured: Bool) {
        var tally = TrafficTally()
        tally.counts = counts
        tally.failures = failures
        #expect(tally.isAsConfigured == isAsConfigured)
    }

    @Test func readsResponseHeads() {
        let whole = Array("HTTP/1.1 200 OK\r\nX-Reviews-Version: v3\r\ncontent-length: 5\r\n\r\nhello".utf8)
        #expect(SampleHead(Array(whole.prefix(30))) == nil)
        let head = SampleHead(whole)
        #expect(head?.status == 200)
        #expect(head?.version == "v3")
        #expect(head?.totalBytes == whole.count)
        #expect(SampleHead([]) == nil)
    }

    @Test func aBusyPortIsExchangedForAFreeOne() throws {
        let port = try #require(FreePort.near(0))
        #expect(port > 0)
        #expect(FreePort.near(port) == port)
    }
}

import Synchronization
import WeirEngine

/// One version of bookinfo's `reviews` service.
struct ReviewsVersion: Sendable, Equatable {
    let name: String
    let about: String
    /// Of the stars; `nil` = no ratings.
    let color: String?
    /// Percent of the sample traffic the demo's VirtualService sends here.
    let weight: Int

    static let all = [
        ReviewsVersion(name: "v1", about: "no ratings", color: nil, weight: 50),
        ReviewsVersion(name: "v2", about: "black stars", color: "black", weight: 0),
        ReviewsVersion(name: "v3", about: "red stars", color: "red", weight: 50),
    ]

    /// The service's answer, as bookinfo's gives it.
    var body: String {
        let texts = [
            "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!",
            "Absolutely fun and entertaining. "
                + "The play lacks thematic depth when compared to other plays by Shakespeare.",
        ]
        let reviews = texts.enumerated().map { index, text in
            let rating = color.map { #","rating":{"stars":\#(5 - index),"color":"\#($0)"}"# } ?? ""
            return #"{"reviewer":"Reviewer\#(index + 1)","text":"\#(text)"\#(rating)}"#
        }
        let list = reviews.joined(separator: ",")
        return #"{"id":"0","podname":"reviews-\#(name)-demo","clustername":"null","reviews":[\#(list)]}"#
    }
}

/// The three versions as small servers of this process, on loopback ports of the system's choice.
final class ReviewsBackends: Sendable {
    private let servers = LocalServers(name: "reviews")
    private let counters = ReviewsVersion.all.map { _ in Counter() }
    /// In the order of `ReviewsVersion.all`.
    let ports: [Int]

    private final class Counter: Sendable {
        let value = Atomic(0)
    }

    /// Listens at once; answers from `start` on.
    init() throws(SocketError) {
        var ports: [Int] = []
        for (version, counter) in zip(ReviewsVersion.all, counters) {
            let body = Array(version.body.utf8)
            ports.append(
                try servers.listen("127.0.0.1:0") { _ in
                    counter.value.add(1, ordering: .relaxed)
                    return LocalResponse(
                        status: 200, contentType: "application/json",
                        headers: [("x-reviews-version", version.name)], body: body)
                })
        }
        self.ports = ports
    }

    /// Requests answered since the start, in the order of `ReviewsVersion.all`.
    var counts: [Int] { counters.map { $0.value.load(ordering: .relaxed) } }

    func start() { servers.start() }
    func stop() { servers.stop() }
}

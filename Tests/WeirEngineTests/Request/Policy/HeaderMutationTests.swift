import Testing
import WeirTestSupport

@testable import WeirEngine

/// Header operations: order, empty values, operators, what they cannot touch.
@Suite struct HeaderMutationTests {
    private func lines(_ answer: TestMessage, _ name: String) -> [String] {
        answer.text.split(separator: "\n").filter {
            $0.lowercased().hasPrefix("\(name): ") || $0.lowercased() == "\(name):"
        }
        .map { String($0.dropFirst(name.count + 2)) }
    }

    @Test func linesAreRemovedThenSetThenAdded() throws {
        let edits = try HeaderEdits(
            remove: ["X-Gone"], set: ["x-set": "new", "X-Both": "set"], add: ["x-list": "more", "x-both": "added"])
        let gateway = try ActionGateway([.doing(RouteActions(requestEdits: edits, responseEdits: edits))])
        let answer = try gateway.ask(
            "GET", "/",
            [
                ("X-Set", "old"), ("x-set", "older"), ("x-list", "one"), ("x-gone", "1"), ("x-keep", "k"),
                ("x-answer", "X-Set: a|x-set: b|X-Gone: 1|x-list: up|x-keep: k"),
            ])
        #expect(lines(answer, "x-set") == ["new"] && lines(answer, "x-both") == ["set", "added"])
        #expect(lines(answer, "x-list") == ["one", "more"] && lines(answer, "x-gone") == [])
        #expect(lines(answer, "x-keep") == ["k"])
        #expect(answer.all("x-set") == ["new"] && answer.all("x-both") == ["set", "added"])
        #expect(answer.all("x-list") == ["up", "more"] && answer["x-gone"] == nil && answer["x-keep"] == "k")
    }

    @Test func allValuesAreReadBeforeAnyLineIsSetAndAfterLinesAreRemoved() throws {
        let edits = try HeaderEdits(
            remove: ["x-gone"],
            set: ["x-a": "%REQ(x-b)%", "x-b": "%REQ(x-a)%", "x-c": "<%REQ(x-gone)%>", "x-d": "%REQ(x-gone)%"],
            add: ["x-a": "%REQ(x-a)%"])
        let gateway = try ActionGateway([.doing(RouteActions(requestEdits: edits))])
        let answer = try gateway.ask(
            "GET", "/", [("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-gone", "g"), ("x-d", "d")])
        #expect(lines(answer, "x-a") == ["3", "1"] && lines(answer, "x-b") == ["1"])
        #expect(lines(answer, "x-c") == ["<>"])
        // Nothing to set it to: it stays.
        #expect(lines(answer, "x-d") == ["d"])
    }

    @Test func anEmptyValueMakesAnOperationNone() throws {
        let edits = try HeaderEdits(set: ["x-a": "", "x-last": ""], add: ["x-b": ""])
        #expect(edits.isEmpty)
        let gateway = try ActionGateway([
            .doing(RouteActions(requestEdits: try HeaderEdits(set: ["x-a": "%REQ(no)%", "x-c": "%ROUTE_NAME%"])))
        ])
        let answer = try gateway.ask("GET", "/", [("x-a", "1"), ("x-c", "c"), ("x-a", "2")])
        #expect(lines(answer, "x-a") == ["1", "2"] && lines(answer, "x-c") == ["c"])
    }

    @Test func operatorsTellOfTheRequest() throws {
        let edits = try HeaderEdits(set: [
            "x-client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            "x-direct": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "x-port": "%DOWNSTREAM_LOCAL_PORT%",
            "x-line": "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(HOST)% %PROTOCOL% %REQ(:SCHEME)%",
            "x-alternative": "%REQ(x-none?x-some):3%", "x-literal": "100%% %HOSTNAME%",
            "x-route": "%ROUTE_NAME%/%UPSTREAM_CLUSTER%/%UPSTREAM_HOST%/%RESPONSE_CODE_DETAILS%/%RESP(x)%",
            "x-tls": "<%REQUESTED_SERVER_NAME%%DOWNSTREAM_PEER_SUBJECT%%DOWNSTREAM_TLS_VERSION%>",
            "x-year": "%START_TIME(%Y-)%", "x-own": "%REQ(x-forwarded-for)% %REQ(x-envoy-attempt-count)%",
            "x-empty": "<%REQ(x-void?x-some)%>",
        ])
        let gateway = try ActionGateway([
            .doing(name: "it", RouteActions(rewrite: RouteRewrite(path: .whole("/new")), requestEdits: edits))
        ])
        let answer = try gateway.ask("POST", "/a?b=c", [("x-some", "abcdef"), ("content-length", "0"), ("x-void", "")])
        #expect(lines(answer, "x-client") == ["127.0.0.1"] && lines(answer, "x-direct") == ["127.0.0.1"])
        #expect(lines(answer, "x-port") == ["\(gateway.gateway.port)"])
        #expect(lines(answer, "x-line") == ["POST /a?b=c example.com example.com HTTP/1.1 http"])
        #expect(lines(answer, "x-alternative") == ["abc"] && lines(answer, "x-empty") == ["<>"])
        #expect(lines(answer, "x-literal").first?.hasPrefix("100% ") == true)
        #expect(lines(answer, "x-route") == ["it/outbound|80||origin///"])
        #expect(lines(answer, "x-tls") == ["<>"])
        #expect(lines(answer, "x-year").first?.count == 5)
        #expect(lines(answer, "x-own") == ["127.0.0.1 1"])
    }

    @Test func operatorsTellOfTheAnswer() throws {
        let edits = try HeaderEdits(
            remove: ["x-up"],
            set: [
                "x-what": "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %RESP(x-keep)%%RESP(x-up)%",
                "x-where": "%UPSTREAM_HOST% %UPSTREAM_CLUSTER%", "x-time": "%RESP(x-envoy-upstream-service-time)%",
                "x-asked": "%REQ(:PATH)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(x-a)%",
            ])
        let gateway = try ActionGateway([
            .doing(RouteActions(rewrite: RouteRewrite(path: .whole("/new")), responseEdits: edits))
        ])
        let answer = try gateway.ask("GET", "/a?b=c", [("x-a", "1"), ("x-answer", "x-up: 1|x-keep: 2")])
        #expect(answer["x-what"] == "200 - via_upstream 2")
        #expect(answer["x-where"] == "127.0.0.1:\(gateway.origin.port) outbound|80||origin")
        #expect(answer["x-asked"] == "/new?b=c /a?b=c 1")
        let milliseconds = try #require(answer["x-time"].flatMap { Int($0) })
        #expect(milliseconds >= 0 && "\(milliseconds)" == answer["x-envoy-upstream-service-time"])
    }

    @Test func ofSeveralDestinationsTheRouteComesLast() throws {
        let inner = DestinationActions(
            authority: "inner.host", requestEdits: try HeaderEdits(set: ["x-who": "destination"], add: ["x-list": "d"]),
            responseEdits: try HeaderEdits(set: ["x-who": "destination", "x-from": "%REQ(x-who)%"]))
        var route = RouteSpec.doing(
            to: [0, 0],
            RouteActions(
                requestEdits: try HeaderEdits(set: ["x-who": "route", "x-was": "%REQ(x-who)%"], add: ["x-list": "r"]),
                responseEdits: try HeaderEdits(set: ["x-who": "route"])))
        for index in route.destinations.indices { route.destinations[index].actions = inner }
        let gateway = try ActionGateway([route])
        let answer = try gateway.ask("GET", "/", [("x-list", "c")])
        #expect(lines(answer, "x-who") == ["route"] && lines(answer, "x-was") == ["destination"])
        #expect(lines(answer, "x-list") == ["c", "d", "r"] && lines(answer, "host") == ["inner.host"])
        #expect(lines(answer, "x-envoy-original-host") == [])
        #expect(answer["x-who"] == "route" && answer["x-from"] == "route")
    }

    @Test func whatWeirWritesCanBeChangedButForItsName() throws {
        let gateway = try ActionGateway([
            .doing(
                RouteActions(
                    requestEdits: try HeaderEdits(
                        remove: ["x-request-id"], set: ["x-forwarded-proto": "https", "x-envoy-attempt-count": "9"]),
                    responseEdits: try HeaderEdits(
                        remove: ["x-envoy-upstream-service-time", "date"], set: ["server": "mine"])))
        ])
        let answer = try gateway.ask()
        #expect(lines(answer, "x-forwarded-proto") == ["https"] && lines(answer, "x-request-id") == [])
        #expect(lines(answer, "x-envoy-attempt-count") == ["9"])
        #expect(answer["server"] == "weir" && answer["x-envoy-upstream-service-time"] == nil && answer["date"] != nil)
    }

    @Test func aValueThatCannotBeMadeIsRefused() {
        for value in [
            "%NOPE%", "50%", "%REQ(%", "%START_TIME(%Q)%", "a\r\nb: c", String(repeating: "x%PROTOCOL%", count: 4000),
        ] {
            #expect(throws: HeaderEdits.Malformed.self) { try HeaderEdits(set: ["x": value]) }
        }
    }

    @Test func aHeadThatBecomesTooLongIsNotSent() throws {
        // Each of these values stays below a head's limit, their sum does not.
        let twice = try HeaderEdits(set: ["x-a": "%REQ(x-long)%", "x-b": "%REQ(x-long)%"])
        let one = try HeaderEdits(set: ["x-a": "%REQ(x-long)%"])
        let gateway = try ActionGateway([
            .doing(.prefix("/request"), RouteActions(requestEdits: twice)),
            .doing(.prefix("/one"), RouteActions(requestEdits: one)),
            .doing(.prefix("/answer"), RouteActions(responseEdits: twice)),
            .doing(.prefix("/own"), RouteActions(answer: .direct(status: 200, body: []), responseEdits: twice)),
        ])
        let long = [("x-long", String(repeating: "v", count: ChangedHead.maxBytes / 2 - 1000))]
        #expect(try gateway.ask("GET", "/request", long).status == 431)
        #expect(try gateway.ask("GET", "/one", long).status == 200)
        let longer = [("x-long", String(repeating: "v", count: 40 * 1024))]
        #expect(try gateway.ask("GET", "/answer", longer).status == 500)
        // An answer of Weir's own goes without.
        let own = try gateway.ask("GET", "/own", longer)
        #expect(own.status == 200 && own["x-a"] == nil)
        #expect(try gateway.ask("GET", "/one").status == 200)
    }

    @Test func asManyLinesAsThereIsRoomForAreAdded() throws {
        var edits = HeaderEdits()
        for index in 0..<HeaderEdits.maxLines { try edits.add("x-own-\(index)", "\(index)") }
        let gateway = try ActionGateway([.doing(RouteActions(requestEdits: edits, responseEdits: edits))])
        // With the Host line, as many lines as a request may have.
        let headers = (0..<(HeaderBlock.maxReceived - 1)).map { ("x-client-\($0)", "v") }
        let answer = try gateway.ask("GET", "/", headers)
        #expect(answer.status == 200 && lines(answer, "x-own-47") == ["47"] && lines(answer, "x-client-98") == ["v"])
        #expect(answer["x-own-47"] == "47")
    }
}

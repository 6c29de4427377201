import Glibc
import Testing

@testable import WeirEngine

/// Lines as they are printed, operator by operator.
@Suite struct AccessLoggerTests {
    @Test(arguments: [
        ("%START_TIME%", "2026-11-21T03:02:05.093Z"), ("%START_TIME(%s.%3f)%", "1795230125.093"),
        ("%START_TIME(%Y/%m/%dT%H:%M:%S%z %f %1f %9f)%", "2026/11/21T03:02:05+0000 093456789 0 093456789"),
        ("%START_TIME(%a %A %b %B %h %e %j %y %I %p %Z)%", "Sat Saturday Nov November Nov 21 325 26 03 AM UTC"),
        ("%START_TIME(%F %T %D %R%%)%", "2026-11-21 03:02:05 11/21/26 03:02%"),
        ("%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)%", "GET /a?b=c shop.example.com http"),
        ("%REQ(host)% %REQ(User-Agent)% %REQ(x-a)%", "shop.example.com probe/1.0 1"),
        ("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(none?x-a)% %REQ(none)%", "/a?b=c 1 -"),
        ("%REQ(USER-AGENT):5% %REQ_WITHOUT_QUERY(:PATH)%", "probe /a"),
        ("%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", "20"), ("%RESP(:STATUS)%", "200"), ("%TRAILER(X)%", "-"),
        ("%PROTOCOL% %RESPONSE_CODE%", "HTTP/1.1 200"), ("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", "- -"),
        ("%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%", "via_upstream -"),
        ("%UPSTREAM_TRANSPORT_FAILURE_REASON%", "-"), ("%BYTES_RECEIVED% %BYTES_SENT%", "5 128"),
        ("%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", "23 3 20 3"),
        ("%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS%", "10.0.0.9:80 10.0.0.9:80"),
        ("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%", "10.0.0.9 80"),
        (
            "%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%",
            "outbound|80||origin.example.com outbound|80||origin.example.com"
        ),
        ("%UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "10.0.0.1:40000 10.0.0.1"),
        ("%UPSTREAM_LOCAL_PORT%", "40000"), ("%DOWNSTREAM_LOCAL_ADDRESS%", "198.51.100.1:8080"),
        ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%", "198.51.100.1 8080"),
        ("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_PORT%", "192.0.2.7:1234 1234"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.7"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_PORT%", "192.0.2.7:1234 1234"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.7"), ("%REQUESTED_SERVER_NAME%", "-"),
        ("%ROUTE_NAME% %VIRTUAL_CLUSTER_NAME%", "canary -"), ("%RESP(Server)% %RESP(x?Server)% %RESP(x)%", "w w -"),
        ("%GRPC_STATUS% %GRPC_STATUS_NUMBER%", "- -"), ("%REQUEST_HEADERS_BYTES% %RESPONSE_HEADERS_BYTES%", "70 190"),
        ("%CONNECTION_ID% %UPSTREAM_REQUEST_ATTEMPT_COUNT%", "77 1"),
        ("%DYNAMIC_METADATA(a)% %FILTER_STATE(a)% %ENVIRONMENT(WEIR_NO_SUCH)%", "- - -"), ("100%%", "100%"),
    ])
    func everyOperatorPrintsItsPart(format: String, line: String) throws {
        let request = LoggedRequest()
        request.keep("canary", at: LogCapture.routeName)
        request.keep("w", at: 1)
        #expect(try request.line(format) == line)
    }

    @Test func namesOfTheMachineAreWrittenOnce() throws {
        let request = LoggedRequest()
        let home = String(cString: getenv("PATH"))
        #expect(try request.line("%ENVIRONMENT(PATH)%") == home)
        #expect(try request.line("%ENVIRONMENT(PATH):3%") == home.prefix(3))
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count)
        #expect(try request.line("%HOSTNAME%").utf8.elementsEqual(name.prefix { $0 != 0 }.map { UInt8($0) }))
        #expect(try request.line("%UNIQUE_ID%") != request.line("%UNIQUE_ID%"))
    }

    @Test func istiosLineIsIstios() throws {
        let request = LoggedRequest()
        request.add(.xForwardedFor, "x-forwarded-for", "192.0.2.7")
        request.add(.xRequestID, "x-request-id", "c992cabd-7644-48f1-a3f3-e77bd4bff944")
        #expect(
            try request.line("text") == """
                [2026-11-21T03:02:05.093Z] "GET /a?b=c HTTP/1.1" 200 - via_upstream - "-" 5 128 23 20 "192.0.2.7" \
                "probe/1.0" "c992cabd-7644-48f1-a3f3-e77bd4bff944" "shop.example.com" "10.0.0.9:80" \
                outbound|80||origin.example.com 10.0.0.1:40000 198.51.100.1:8080 192.0.2.7:1234 - -
                """)
        #expect(
            try request.line("json") == """
                {"start_time":"2026-11-21T03:02:05.093Z","method":"GET","path":"/a?b=c","protocol":"HTTP/1.1",\
                "response_code":200,"response_flags":"-","response_code_details":"via_upstream",\
                "connection_termination_details":null,"upstream_transport_failure_reason":null,"bytes_received":5,\
                "bytes_sent":128,"duration":23,"upstream_service_time":"20","x_forwarded_for":"192.0.2.7",\
                "user_agent":"probe/1.0","request_id":"c992cabd-7644-48f1-a3f3-e77bd4bff944",\
                "authority":"shop.example.com","upstream_host":"10.0.0.9:80",\
                "upstream_cluster":"outbound|80||origin.example.com","upstream_local_address":"10.0.0.1:40000",\
                "downstream_local_address":"198.51.100.1:8080","downstream_remote_address":"192.0.2.7:1234",\
                "requested_server_name":null,"route_name":null}
                """)
    }

    @Test func aRequestThatCouldNotBeReadHasALineToo() throws {
        let request = LoggedRequest()
        request.forgetHead()
        request.record = RequestRecord(refused: .malformed, at: LoggedRequest.startedAt)
        request.upstream = nil
        request.cluster = ""
        request.capture.upstreamLocal = nil
        #expect(
            try request.line("text") == """
                [2026-11-21T03:02:05.093Z] "- - HTTP/1.1" 400 DPE http1.codec_error - "-" 0 0 23 - "-" "-" "-" "-" "-" \
                - - 198.51.100.1:8080 192.0.2.7:1234 - -
                """)
        #expect(
            try request.line(#"{"m":"%REQ(:METHOD)%","u":"%REQ(X)% %UPSTREAM_HOST%","d":"%RESPONSE_DURATION%"}"#)
                == #"{"m":null,"u":"- -","d":null}"#)
        request.record = RequestRecord(refused: .versionTooLow, at: 0)
        #expect(try request.line("%PROTOCOL%") == "HTTP/1.0")
    }

    @Test func aConnectionThatCouldNotBeOpenedSaysWhy() throws {
        let request = LoggedRequest()
        request.record.answered(
            by: .failure(ProxyError(source: .upstream, cause: .connectFailure, code: ECONNREFUSED)))
        let reason = "delayed_connect_error:_Connection_refused"
        #expect(
            try request.line(
                "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %RESPONSE_CODE_DETAILS% "
                    + "%UPSTREAM_TRANSPORT_FAILURE_REASON% %UPSTREAM_HOST% %UPSTREAM_LOCAL_ADDRESS%")
                == "503 UF UpstreamConnectionFailure "
                + "upstream_reset_before_response_started{remote_connection_failure|\(reason)} \(reason) 10.0.0.9:80 -")
        request.record.flags = [.noRoute, .downstreamLeft]
        #expect(try request.line("%RESPONSE_FLAGS%") == "NR,DC")
        #expect(
            try request.line("%RESPONSE_FLAGS_LONG%") == "NoRouteFound,DownstreamConnectionTermination")
    }

    @Test(arguments: [
        (0, "OK OK 0", #"["OK","OK",0]"#), (4, "DeadlineExceeded DEADLINE_EXCEEDED 4", ""),
        (16, "Unauthenticated UNAUTHENTICATED 16", ""), (42, "42 42 42", #"["42","42",42]"#),
        (-1, "- - -", "[null,null,null]"),
    ])
    func grpcStatusHasThreeForms(status: Int8, text: String, json: String) throws {
        let request = LoggedRequest()
        request.record.grpcStatus = status
        #expect(try request.line("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)%") == text)
        guard !json.isEmpty else { return }
        let format = #"{"a":["%GRPC_STATUS%","%GRPC_STATUS(SNAKE_STRING)%","%GRPC_STATUS(NUMBER)%"]}"#
        #expect(try request.line(format) == "{\"a\":\(json)}")
    }

    @Test func addressesOfEveryFamily() throws {
        let request = LoggedRequest()
        request.downstream.remote = request.hold("2001:db8::1", 443)
        request.downstream.local = request.hold("::ffff:192.0.2.9", 80)
        let format = "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS%"
        #expect(try request.line(format) == "[2001:db8::1]:443 2001:db8::1 192.0.2.9:80")
        let path = Array("/run/a\"b.sock".utf8)
        request.upstream = path.withUnsafeBufferPointer {
            request.hold(EndpointAddress(.unix("/run/a\"b.sock"), port: 0, path: $0.baseAddress))
        }
        let parts = "%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%"
        #expect(try request.line(parts) == "/run/a?b.sock /run/a?b.sock -")
        #expect(
            try request.line(#"{"a":"%UPSTREAM_HOST%","p":"%UPSTREAM_REMOTE_PORT%"}"#)
                == #"{"a":"/run/a?b.sock","p":null}"#)
    }

    // MARK: What peers send

    @Test func aValueCannotLookLikeTheEndOfItsField() throws {
        let request = LoggedRequest(
            "GET /a\"b HTTP/1.1\r\nHost: h\r\nUser-Agent: x\" \"forged\" \\\t\u{e9}\u{85}\r\n\r\n")
        #expect(
            try request.line("\"%REQ(:PATH)%\" \"%REQ(USER-AGENT)%\"")
                == #""/a\x22b" "x\x22 \x22forged\x22 \x5c\x09\xe9\x85""#)
        #expect(
            try request.line(#"{"p":"%REQ(:PATH)%","u":"%REQ(USER-AGENT)%"}"#)
                == "{\"p\":\"/a\\\"b\",\"u\":\"x\\\" \\\"forged\\\" \\\\\\t\u{ef}\u{bf}\u{bd}\u{ef}\u{bf}\u{bd}\"}")
    }

    @Test func theFirstOfEqualHeadersIsPrintedAndRemovedOnesAreNot() throws {
        let request = LoggedRequest("GET / HTTP/1.1\r\nHost: h\r\nX-A: first\r\nX-A: second\r\nx-b:\r\n\r\n")
        #expect(try request.line("%REQ(x-a)% [%REQ(x-b)%]") == "first []")
        guard let head = request.head else { return }
        for index in 0..<head.block.count where text(head.block.fields[index].valueBytes) == "first" {
            head.block.fields[index].removed = true
        }
        #expect(try request.line("%REQ(x-a)%") == "second")
    }

    @Test func aClientCannotNameTheOriginalPath() throws {
        let request = LoggedRequest("GET /real HTTP/1.1\r\nHost: h\r\nX-Envoy-Original-Path: /forged\r\n\r\n")
        #expect(try request.line("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%") == "/real")
    }

    @Test func longValuesAreCutAndTheLineStaysWhole() throws {
        let long = String(repeating: "x", count: 20_000)
        let request = LoggedRequest("GET /\(long) HTTP/1.1\r\nHost: h\r\nX-A: \(long)\r\nX-Q: \(long)\"\r\n\r\n")
        let path = try request.line("[%REQ(:PATH)%] %RESPONSE_CODE%")
        #expect(path == "[/\(long.prefix(AccessLogLimits.fieldBytes - 1))] 200")
        let many = Array(repeating: "%REQ(X-A)%", count: 10).joined(separator: " ")
        let line = try request.line(many + " end")
        #expect(line.utf8.count < AccessLogLimits.lineBytes && line.hasSuffix(" end"))
        let json = try request.line(#"{"a":"\#(many)","b":"%REQ(X-A)%","c":"%RESPONSE_CODE%"}"#)
        #expect(json.utf8.count < AccessLogLimits.lineBytes && json.hasSuffix(#"","b":"","c":200}"#))
    }

    @Test(arguments: [#"""#, "\\", "\u{c3}\u{a9}", "\u{f0}\u{9f}\u{98}\u{80}", "\u{ff}"])
    func noEscapeIsCutInTwo(odd: String) throws {
        for length in 4080...4100 {
            let value = String(repeating: "x", count: length) + odd + odd
            let request = LoggedRequest("GET / HTTP/1.1\r\nHost: h\r\nX-A: \(value)\r\n\r\n")
            let text = try request.line("%REQ(X-A)%")
            #expect(text.utf8.count <= AccessLogLimits.fieldBytes)
            let tail = text.drop { $0 == "x" }
            #expect(tail.isEmpty || tail.utf8.count % 4 == 1 || tail.utf8.count % 4 == 0)
            let json = try request.line(#"{"a":"%REQ(X-A)%"}"#)
            #expect(json.unicodeScalars.count <= AccessLogLimits.fieldBytes + 8 && isJSON(json))
        }
    }

    @Test func aFullRingDropsAndCounts() throws {
        let log = try AccessLog(format: .istioText, workers: 1)
        let logger = AccessLogger(log, worker: 0)
        let request = LoggedRequest()
        while logger.dropped < 10 { request.write(to: logger) }
        let waiting = text(log.rings[0].waiting)
        #expect(waiting.hasSuffix("\n") && waiting.utf8.count { $0 == 10 } == logger.lines)
        #expect(waiting.utf8.count > AccessLogRing.capacity - AccessLogLimits.lineBytes)
        log.rings[0].consume(log.rings[0].waiting.count)
        request.write(to: logger)
        #expect(logger.dropped == 10 && !log.rings[0].waiting.isEmpty)
    }
}

/// Numbers and addresses as the line writes them.
@Suite struct LogDigitsTests {
    private static func text(_ write: (UnsafeMutablePointer<UInt8>) -> Int) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { room in
            String(decoding: room[..<write(room.baseAddress!)], as: UTF8.self)
        }
    }

    @Test func numbersOfEveryLength() {
        var random = FastRandom(seed: 7)
        let edges: [UInt64] = [0, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 99_999, 100_000, 999_999, 1_000_000, .max]
        for number in edges + (0..<1000).map({ random.next() >> UInt64($0 % 64) }) {
            #expect(Self.text { LogDigits.write(number, into: $0) } == "\(number)")
        }
    }
}

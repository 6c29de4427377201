import Testing

@testable import WeirEngine

/// What a format may say, and what is said about one that may not.
@Suite struct AccessLogFormatTests {
    @Test(arguments: [
        "text", "json", "plain words", "%%", "100%% %RESPONSE_CODE%", "%REQ(X)%", "%REQ(X?Y):10%", "%REQ(:PATH)%",
        "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ %s %z %a %b %e %j %I %p %T %F %D %R %f %%)%", "%GRPC_STATUS(NUMBER)%",
        "%ENVIRONMENT(HOME):5%", "%DYNAMIC_METADATA(com.test:key)%", "%FILTER_STATE(a:PLAIN)%", "%TRAILER(X):5%",
        #"{"a":"%REQ(X)%"}"#, #" "#, #"{}"#, #"{"a":{"b":["%PROTOCOL%",1,-2.5e3,true,null,[],{}]},"c":"x%%y"}"#,
        #"{ "a" : "\u00e9\ud83d\ude00\n\"%REQ(X?Y):3%" }"#,
    ])
    func whatEnvoyTakesIsTaken(format: String) throws { _ = try AccessLogFormat(format) }

    @Test(arguments: [
        ("", "empty"), ("a %NOPE% b", "byte 3: %NOPE% is no known operator. Known are BYTES_RECEIVED"),
        ("%", "byte 1: an operator's name"), ("100% sure", "byte 4: an operator's name"),
        ("%RESPONSE_CODE", "the closing '%' of %RESPONSE_CODE is missing"), ("%REQ(X%", "the ')' of %REQ( is missing"),
        ("%REQ%", "needs a header's name"), ("%REQ()%", "needs a header's name"),
        ("%REQ(X?Y?Z)%", "needs a header's name"), ("%REQ(a b)%", "needs a header's name"),
        ("%REQ(X):%", "a length of 1 to 65535"), ("%REQ(X):0%", "a length"), ("%REQ(X):99999%", "a length"),
        ("%PROTOCOL(X)%", "takes no argument"), ("%DURATION:3%", "takes no length"),
        ("%START_TIME(%Q)%", "'%Q'"), ("%START_TIME(%3x)%", "'%3'"), ("%START_TIME(%)%", "ends with a lone '%'"),
        ("%START_TIME(\")%", "a quote"), ("%GRPC_STATUS(X)%", "CAMEL_STRING"), ("%ENVIRONMENT%", "a variable's name"),
        ("%DYNAMIC_METADATA%", "needs an argument"), ("%HOSTNAME(X)%", "takes no argument"),
        ("{", "'\"' is missing"), (#"{"a":}"#, "neither a string"), (#"{"a":"b""#, "',' is missing"),
        (#"{"a":"b"} x"#, "text behind"), (#"{"a":01}"#, "neither"), (#"{"a":1.}"#, "neither"),
        (#"{"a":"\x"}"#, "an escape"), (#"{"a":"\ud83d"}"#, "surrogate"), (#"{"a":"b","a":"c"}"#, "twice"),
        (#"{"a":"%NOPE%"}"#, "(In the JSON string at byte 6.)"), (#"{"a" "b"}"#, "':' is missing"),
        (#"{"a":"b",}"#, "'\"' is missing"), ("{\"a\":\"\u{1}\"}", "control character"),
    ])
    func whatIsWrongIsSaidWithItsPlace(format: String, message: String) {
        let error = #expect(throws: AccessLogFormatError.self) { try AccessLogFormat(format) }
        if let error { #expect(error.description.contains(message), "\(error)") }
    }

    @Test func everyKnownOperatorCompiles() throws {
        for name in LogOperatorName.known {
            let format = name.replacing("(X?Y)", with: "(X?Y)").replacing("(FORMAT)", with: "(%s)")
                .replacing("(CAMEL_STRING|SNAKE_STRING|NUMBER)", with: "")
            _ = try AccessLogFormat("%\(format)%")
            _ = try AccessLogFormat("{\"a\":\"%\(format)%\"}")
        }
    }

    @Test func whatCannotFitIsRefused() throws {
        _ = try AccessLogFormat(String(repeating: "x", count: AccessLogLimits.fixedBytes - 1))
        let long = String(repeating: "x", count: AccessLogLimits.fixedBytes)
        #expect(throws: AccessLogFormatError.self) { try AccessLogFormat(long) }
        let headers = (0..<AccessLogLimits.requestHeaders).map { "%REQ(x-\($0))%" }.joined()
        _ = try AccessLogFormat(headers + "%REQ(X-1)%%REQ(HOST)%")
        #expect(throws: AccessLogFormatError.self) { try AccessLogFormat(headers + "%REQ(one-more)%") }
        let answers = (0..<AccessLogLimits.responseHeaders).map { "%RESP(x-\($0))%" }.joined()
        _ = try AccessLogFormat(answers + "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%")
        #expect(throws: AccessLogFormatError.self) { try AccessLogFormat(answers + "%RESP(one-more)%") }
        let nested = String(repeating: "{\"a\":", count: AccessLogLimits.jsonDepth) + "1"
        #expect(throws: AccessLogFormatError.self) {
            try AccessLogFormat(nested + String(repeating: "}", count: AccessLogLimits.jsonDepth))
        }
    }

    @Test func onlyWhatIsNamedIsKept() throws {
        let text = AccessLogFormat.istioText.compiled
        #expect(text.wantsRouteName && text.wantsUpstreamLocal && text.wantsDownstreamLocal)
        #expect(text.responseHeaderCount == 0, "the service time is known without the header")
        let little = try AccessLogFormat("%RESPONSE_CODE% %RESP(Server)% %RESP(server?x-b)%").compiled
        #expect(!little.wantsRouteName && !little.wantsUpstreamLocal && !little.wantsDownstreamLocal)
        #expect(little.responseHeaderCount == 2 && little.requestHeaderCount == 0)
    }
}

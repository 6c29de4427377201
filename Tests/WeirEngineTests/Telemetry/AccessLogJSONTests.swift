import Foundation
import Testing

@testable import WeirEngine

/// Whether scalars, one a byte, are a JSON object.
func isJSON(_ bytes: String) -> Bool {
    (try? JSONSerialization.jsonObject(with: Data(latin1(bytes)))) is [String: Any]
}

/// Whatever a peer sends, a JSON line is JSON and says what was sent.
@Suite struct AccessLogJSONTests {
    @Test func everyLineIsJSON() throws {
        var random = FastRandom(seed: 42)
        let format = #"{"a":"%REQ(X-A)%","b":{"c":["x %REQ(X-B):100% y"]},"d":"%REQ(:PATH)%","e":"%REQ(X-A):7%"}"#
        for _ in 0..<2000 {
            let first = Self.value(&random)
            let second = Self.value(&random)
            let request = LoggedRequest("GET /\"\\ HTTP/1.1\r\nHost: h\r\nX-A:\(first)\r\nX-B:\(second)\r\n\r\n")
            let line = try request.line(format)
            let object = try JSONSerialization.jsonObject(with: Data(latin1(line))) as? [String: Any]
            let sent = latin1(first.trimmingCharacters(in: CharacterSet(charactersIn: " \t")))
            let logged = try #require(object?["a"] as? String, "\(line)")
            #expect(Self.collapsed(logged) == Self.collapsed(String(decoding: sent, as: UTF8.self)))
        }
    }

    /// How many replacement characters stand for a broken sequence is a matter of taste.
    private static func collapsed(_ text: String) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        for scalar in text.unicodeScalars where scalar != "\u{fffd}" || result.last != "\u{fffd}" {
            result.append(scalar)
        }
        return result
    }

    /// Bytes a field value may hold, with a liking for the odd ones and for whole UTF-8 sequences.
    private static func value(_ random: inout FastRandom) -> String {
        let odd: [String] = [
            "\"", "\\", "\t", "\u{80}", "\u{ff}", "\u{c3}\u{a9}", "\u{e2}\u{82}\u{ac}", "\u{ed}\u{a0}\u{80}",
            "\u{f0}\u{9f}\u{98}\u{80}", "\u{e2}\u{82}", "\u{f4}\u{90}\u{80}\u{80}", "\u{c0}\u{80}", "abcdefgh",
        ]
        var text = ""
        for _ in 0..<(random.next() % 40) {
            let pick = random.next()
            text +=
                pick % 3 == 0 ? odd[Int(pick >> 8) % odd.count] : String(Unicode.Scalar(UInt8(0x20 + pick >> 8 % 95)))
        }
        return text
    }

    @Test func valuesHaveTheirOperatorsTypes() throws {
        let request = LoggedRequest()
        let line = try request.line(
            #"{"n":"%RESPONSE_CODE%","s":"%PROTOCOL%","m":"%RESPONSE_CODE% ","k":"é\n","z":"","p":"100%%","#
                + #""e":"%ENVIRONMENT(WEIR_NO_SUCH)%","l":7,"t":true,"u":null,"port":"%UPSTREAM_REMOTE_PORT%"}"#)
        #expect(
            line
                == #"{"n":200,"s":"HTTP/1.1","m":"200 ","k":"Ã©\u000a","z":"","p":"100%","e":null,"l":7,"t":true,"u":null,"#
                + #""port":80}"#)
        #expect(isJSON(line))
    }
}

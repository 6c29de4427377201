import Testing

@testable import WeirConfig

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9v\nYmFy\r\n", "foobar"),
        ("Pz8+", "??>"), ("Pz8/", "???"),
    ])
    func decodes(text: String, expected: String) {
        #expect(Base64.decode(text) == Array(expected.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zg===", "Zm8==", "Zm9v=", "Z=g=", "Zm 9v", "Zm9-", "=", "====", "Zg==Zg=="])
    func refusesWhatIsNoPaddedBase64(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}

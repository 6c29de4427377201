import Testing

@testable import WeirConfig

@Suite struct FieldPathTests {
    @Test func rendersFieldsAndItemsAsUsersWriteThem() {
        let path = FieldPath.root["spec"]["http"][0]["match"][1]["headers"]["end-user"]["regex"]
        #expect(path.description == "spec.http[0].match[1].headers.end-user.regex")
        #expect(FieldPath.root["data"]["tls.crt"].description == "data[\"tls.crt\"]")
        #expect(FieldPath.root.description.isEmpty)
    }

    @Test func knowsWhichPathsLieWithinEachOther() {
        #expect(FieldPath.related("spec.hosts", "spec.hosts[0]"))
        #expect(FieldPath.related("spec.hosts[0].a", "spec.hosts"))
        #expect(FieldPath.related("spec", "spec"))
        #expect(!FieldPath.related("spec.host", "spec.hosts"))
        #expect(!FieldPath.related("spec.hosts[1]", "spec.hosts[10]"))
    }
}

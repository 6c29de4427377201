extension HTTPMatchRequest {
    /// Decodes one entry of `match:`.
    init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        name = fields.text("name")
        uri = fields.take("uri").flatMap { StringMatch($0) }
        scheme = fields.take("scheme").flatMap { StringMatch($0) }
        method = fields.take("method").flatMap { StringMatch($0) }
        authority = fields.take("authority").flatMap { StringMatch($0) }
        headers = NamedMatch.list(fields.take("headers"), lowercase: true)
        withoutHeaders = NamedMatch.list(fields.take("withoutHeaders"), lowercase: true, star: .isPresence)
        queryParams = NamedMatch.list(fields.take("queryParams"), lowercase: false)
        port = fields.integer("port", PortNumber.decodable)
        sourceLabels = fields.textMap("sourceLabels")
        sourceNamespace = fields.text("sourceNamespace")
        gateways = fields.texts("gateways")
        ignoreUriCase = fields.flag("ignoreUriCase") ?? false
        statPrefix = fields.unserved("statPrefix", "the route has no metrics of its own")?.text()
        fields.finish()
    }
}

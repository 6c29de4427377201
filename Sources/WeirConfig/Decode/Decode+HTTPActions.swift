extension HTTPRedirect {
    private enum PortSelection: String, CaseIterable {
        case fromProtocolDefault = "FROM_PROTOCOL_DEFAULT"
        case fromRequestPort = "FROM_REQUEST_PORT"
    }

    init(_ reader: FieldReader) {
        var fields = reader
        uri = fields.filledText("uri")
        prefixRewrite = fields.filledText("prefixRewrite")
        authority = fields.filledText("authority")
        scheme = fields.filledText("scheme")
        redirectCode = fields.integer("redirectCode", 0...Int(UInt32.max))
        if redirectCode == 0 { redirectCode = nil }
        port = fields.integer("port", PortNumber.decodable).map(Port.number)
        if let value = fields.take("derivePort") {
            if port != nil { value.refuse("A redirect has one of port and derivePort. Keep one of them.") }
            switch value.word(of: "derivePort", as: PortSelection.self) {
            case .fromProtocolDefault: port = .fromProtocolDefault
            case .fromRequestPort: port = .fromRequestPort
            case nil: break
            }
        }
        fields.finish()
    }
}

extension HTTPDirectResponse {
    init(_ reader: FieldReader) {
        var fields = reader
        status = fields.integer("status", 0...Int(UInt32.max)) ?? 0
        if var content = fields.mapping("body") {
            body = content.text("string").map { Array($0.utf8) }
            if let value = content.take("bytes") {
                if body != nil { value.refuse("A body has one of string and bytes. Keep one of them.") }
                body = value.base64()
            }
            content.finish()
        }
        fields.finish()
    }
}

extension FieldValue {
    fileprivate func base64() -> [UInt8]? {
        guard let text = text() else { return nil }
        guard let bytes = Base64.decode(text) else {
            refuse("The value is no base64. Encode it, or write it as it is under string.")
            return nil
        }
        return bytes
    }
}

extension Delegate {
    init(_ reader: FieldReader) {
        var fields = reader
        name = fields.text("name") ?? ""
        namespace = fields.filledText("namespace")
        fields.finish()
    }
}

extension HTTPRewrite {
    init(_ reader: FieldReader) {
        var fields = reader
        uri = fields.filledText("uri")
        authority = fields.filledText("authority")
        uriRegexRewrite = fields.mapping("uriRegexRewrite").map(RegexRewrite.init)
        fields.finish()
    }
}

extension HTTPRewrite.RegexRewrite {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        match = fields.text("match") ?? ""
        rewrite = fields.text("rewrite") ?? ""
        fields.finish()
    }
}

extension CorsPolicy {
    init(_ reader: FieldReader) {
        var fields = reader
        allowOrigins = fields.items("allowOrigins").compactMap { StringMatch($0) }
        if let value = fields.take("allowOrigin") {
            value.warn(.deprecated, "allowOrigin is deprecated. Write allowOrigins: [{exact: ...}].")
            let origins = value.texts()
            if allowOrigins.isEmpty { allowOrigins = origins.map(StringMatch.exact) }
        }
        allowMethods = fields.texts("allowMethods")
        allowHeaders = fields.texts("allowHeaders")
        exposeHeaders = fields.texts("exposeHeaders")
        maxAgeSeconds = fields.take("maxAge")?.seconds()
        allowCredentials = fields.flag("allowCredentials")
        unmatchedPreflights = fields.word("unmatchedPreflights", as: UnmatchedPreflights.self) ?? .unspecified
        fields.finish()
    }
}

extension Headers {
    init(_ reader: FieldReader) {
        var fields = reader
        request = fields.mapping("request").map(HeaderOperations.init)
        response = fields.mapping("response").map(HeaderOperations.init)
        fields.finish()
    }
}

extension HeaderOperations {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        set = fields.textMap("set")
        add = fields.textMap("add")
        remove = fields.texts("remove")
        fields.finish()
    }
}

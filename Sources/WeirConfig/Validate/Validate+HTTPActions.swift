extension HTTPRedirect {
    /// Istio passes other codes from 300 to 399, which Envoy then refuses.
    private static let codes: Set<Int> = [301, 302, 303, 307, 308]

    func validate(at path: FieldPath, match: [HTTPMatchRequest], into findings: inout Findings) {
        if uri == nil, prefixRewrite == nil, authority == nil, port == nil, scheme == nil {
            findings.error(path, "The redirect leads nowhere. Write uri, authority, scheme or port.")
        }
        if let redirectCode, !Self.codes.contains(redirectCode) {
            findings.error(
                path["redirectCode"], "\(redirectCode) is no status of a redirect. Write 301, 302, 303, 307 or 308.")
        }
        if let scheme, scheme != "http", scheme != "https" {
            findings.error(path["scheme"], "\(scheme) is no scheme to redirect to. Write http or https.")
        }
        if case .number(let number) = port { findings.checkPort(number, path["port"]) }
        validatePaths(at: path, match: match, into: &findings)
        for (field, text) in [("uri", uri), ("prefixRewrite", prefixRewrite), ("authority", authority)] {
            findings.checkText(text ?? "", path[field])
        }
    }

    private func validatePaths(at path: FieldPath, match: [HTTPMatchRequest], into findings: inout Findings) {
        guard prefixRewrite != nil else { return }
        if uri != nil {
            findings.error(path["prefixRewrite"], "uri and prefixRewrite exclude each other. Keep one of them.")
        }
        let hasOtherMatch = match.contains { condition in
            switch condition.uri {
            case .exact, .regex: true
            case .prefix, .present, nil: false
            }
        }
        if hasOtherMatch {
            findings.error(
                path["prefixRewrite"], "Only a prefix can be rewritten. Match the uri by prefix, or write uri.")
        }
    }
}

extension HTTPDirectResponse {
    private static let bodyLimitBytes = 1 << 20
    private static let bodyWarningBytes = 100 << 10

    func validate(at path: FieldPath, into findings: inout Findings) {
        if !(200...600).contains(status) {
            let found = status == 0 ? "The response has no status." : "\(status) is no status of a response."
            findings.error(path["status"], "\(found) Write a number from 200 to 599.")
        }
        guard let size = body?.count, size > Self.bodyWarningBytes else { return }
        if size > Self.bodyLimitBytes {
            findings.error(path["body"], "The body has \(size) bytes. Write at most \(Self.bodyLimitBytes).")
        } else {
            findings.warning(path["body"], "The body has \(size) bytes, which is much for a configuration. Serve it.")
        }
    }
}

extension HTTPRewrite {
    func validate(at path: FieldPath, into findings: inout Findings) {
        if uri == nil, authority == nil, uriRegexRewrite == nil {
            findings.error(path, "The rewrite changes nothing. Write uri, uriRegexRewrite or authority.")
        }
        for (field, text) in [("uri", uri), ("authority", authority)] {
            findings.checkText(text ?? "", path[field], blankAllowed: false)
        }
        guard let uriRegexRewrite else { return }
        let place = path["uriRegexRewrite"]
        if uri != nil { findings.error(place, "uri and uriRegexRewrite exclude each other. Keep one of them.") }
        findings.checkPattern(uriRegexRewrite.match, place["match"])
        if uriRegexRewrite.rewrite.isEmpty {
            findings.error(place["rewrite"], "The replacement is missing. Write the text that replaces each match.")
        }
        findings.checkText(uriRegexRewrite.rewrite, place["rewrite"], blankAllowed: false)
    }
}

extension Findings {
    /// A control character would end the header that the text goes into, a blank the target of a request line.
    fileprivate mutating func checkText(_ text: String, _ path: FieldPath, blankAllowed: Bool = true) {
        let least = blankAllowed ? UInt8(ascii: " ") : UInt8(ascii: "!")
        guard text.utf8.contains(where: { $0 < least || $0 == 0x7F }) else { return }
        let what = blankAllowed ? "a control character" : "a blank or a control character"
        error(path, "The text holds \(what). Remove it, or write it percent-encoded.")
    }
}

extension CorsPolicy {
    private static let methods: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*",
    ]

    func validate(at path: FieldPath, into findings: inout Findings) {
        for (index, origin) in allowOrigins.enumerated() {
            let place = path["allowOrigins"][index]
            switch origin {
            case .exact(let text) where text.isEmpty, .prefix(let text) where text.isEmpty:
                findings.error(place, "The origin is empty. Write exact, prefix or regex with a text.")
            case .exact, .prefix: break
            case .regex(let pattern): findings.checkPattern(pattern, place["regex"])
            case .present: findings.error(place, "The origin is empty. Write exact, prefix or regex with a text.")
            }
        }
        for (index, method) in allowMethods.enumerated() where !Self.methods.contains(method) {
            let known = Self.methods.sorted().joined(separator: ", ")
            findings.error(
                path["allowMethods"][index], "\(method) is no method that CORS knows. Write one of \(known).")
        }
        for (field, names) in [("allowHeaders", allowHeaders), ("exposeHeaders", exposeHeaders)] {
            for (index, name) in names.enumerated() where name != "*" && !NameSyntax.isHeaderName(name) {
                let found = name.isEmpty ? "An empty text" : name
                findings.error(path[field][index], "\(found) is no header's name. Use letters, digits and hyphens.")
            }
        }
    }
}

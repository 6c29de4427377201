extension Gateway {
    /// Decodes `spec:`; everything wrong is reported to the reader's session.
    init(_ spec: FieldReader?) {
        guard var fields = spec else { return }
        servers = fields.items("servers").map(Server.init)
        selector = fields.textMap("selector")
        fields.finish()
    }
}

extension Gateway.Server {
    fileprivate init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        if let port = fields.mapping("port") { self.port = Gateway.Port(port) }
        bind = fields.text("bind")
        hosts = fields.texts("hosts")
        tls = fields.mapping("tls").map(Gateway.TLS.init)
        name = fields.text("name")
        defaultEndpoint = fields.inapplicable("defaultEndpoint", "it is for sidecars")?.text()
        fields.finish()
    }
}

extension Gateway.Port {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        number = fields.integer("number", PortNumber.decodable) ?? 0
        name = fields.text("name") ?? ""
        readProtocol(&fields)
        if let target = fields.take("targetPort") {
            target.refuse("A Gateway's port has no targetPort. Remove it and write the port to listen on as number.")
        }
        fields.finish()
    }

    private mutating func readProtocol(_ fields: inout FieldReader) {
        let words = Gateway.PortProtocol.allCases.map(\.rawValue).joined(separator: ", ")
        guard let value = fields.take("protocol") else {
            let message = "The port has no protocol. Write protocol: with one of \(words)."
            return fields.session.error(fields.path["protocol"], line: fields.line, message)
        }
        guard let text = value.text() else { return }
        guard let word = Gateway.PortProtocol(rawValue: text.uppercased()) else {
            return value.refuse("\(text) is no protocol of a Gateway's port. Write one of \(words).")
        }
        self.protocol = word
    }
}

extension Gateway.TLS {
    fileprivate init(_ reader: FieldReader) {
        var fields = reader
        mode = fields.word("mode", as: Mode.self) ?? .passthrough
        httpsRedirect = fields.flag("httpsRedirect") ?? false
        credentialName = fields.text("credentialName")
        credentialNames = fields.texts("credentialNames")
        caCertCredentialName = fields.text("caCertCredentialName")
        serverCertificate = fields.text("serverCertificate")
        privateKey = fields.text("privateKey")
        caCertificates = fields.text("caCertificates")
        tlsCertificates = fields.items("tlsCertificates").map(Certificate.init)
        readVerification(&fields)
        readProtocol(&fields)
        fields.finish()
    }

    private mutating func readVerification(_ fields: inout FieldReader) {
        subjectAltNames = fields.texts("subjectAltNames")
        verifyCertificateSpki = fields.texts("verifyCertificateSpki")
        verifyCertificateHash = fields.texts("verifyCertificateHash")
        caCrl = fields.text("caCrl")
        insecureSkipVerify = fields.flag("insecureSkipVerify") ?? false
    }

    private mutating func readProtocol(_ fields: inout FieldReader) {
        minProtocolVersion = fields.word("minProtocolVersion", as: ProtocolVersion.self) ?? .auto
        maxProtocolVersion = fields.word("maxProtocolVersion", as: ProtocolVersion.self) ?? .auto
        cipherSuites = fields.texts("cipherSuites")
    }
}

extension Gateway.TLS.Certificate {
    fileprivate init(_ value: FieldValue) {
        guard var fields = value.mapping() else { return }
        serverCertificate = fields.text("serverCertificate")
        privateKey = fields.text("privateKey")
        caCertificates = fields.text("caCertificates")
        fields.finish()
    }
}

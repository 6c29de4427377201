extension TLSRoute {
    init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        match = fields.items("match").map { StreamMatch($0, isTLS: true) }
        route = fields.items("route").map(RouteDestination.init)
        fields.finish()
    }
}

extension TCPRoute {
    init(_ value: FieldValue) {
        line = value.line
        guard var fields = value.mapping() else { return }
        match = fields.items("match").map { StreamMatch($0, isTLS: false) }
        route = fields.items("route").map(RouteDestination.init)
        fields.finish()
    }
}

extension StreamMatch {
    fileprivate init(_ value: FieldValue, isTLS: Bool) {
        line = value.line
        guard var fields = value.mapping() else { return }
        if isTLS { sniHosts = fields.texts("sniHosts") } else { sourceSubnet = fields.filledText("sourceSubnet") }
        destinationSubnets = fields.texts("destinationSubnets")
        port = fields.integer("port", PortNumber.decodable)
        sourceLabels = fields.textMap("sourceLabels")
        sourceNamespace = fields.filledText("sourceNamespace")
        gateways = fields.texts("gateways")
        fields.finish()
    }
}

extension RouteDestination {
    fileprivate init(_ value: FieldValue) {
        self.init(destination: Destination(host: ""))
        line = value.line
        guard var fields = value.mapping() else { return }
        destination = Destination(fields.mapping("destination"))
        weight = fields.integer("weight", Weight.decodable)
        fields.finish()
    }
}

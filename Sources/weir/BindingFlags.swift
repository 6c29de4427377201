import ArgumentParser
import WeirServer

/// Who the gateway is to the resources.
struct BindingFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A label of this gateway; Gateways that select others are not served. Repeatable. Default: all are served.",
            valueName: "key=value"))
    var gatewaySelector: [String] = []

    @Option(
        help: ArgumentHelp(
            "The namespace of this gateway: what it may see, where DestinationRules are looked up first, and where Secrets are. Default: default, and Secrets with the Gateways that name them.",
            valueName: "namespace"))
    var gatewayNamespace: String?

    @Option(help: ArgumentHelp("Where mesh-wide DestinationRules are looked up last.", valueName: "namespace"))
    var rootNamespace = "istio-system"

    @Option(help: ArgumentHelp("Services are called NAME.NAMESPACE.svc.DOMAIN.", valueName: "domain"))
    var domainSuffix = "cluster.local"

    @Option(
        help: ArgumentHelp(
            "Serve callers by service name there: the VirtualServices of the mesh, and every service without one.",
            valueName: "host:port"))
    var meshListen: String?

    @Option(
        help: ArgumentHelp(
            "How long an update that names an unknown service or subset waits for it while the one before serves.",
            valueName: "duration"))
    var referenceGrace = "2s"

    /// As the server takes them.
    func options() throws -> BindingOptions {
        var options = BindingOptions()
        options.gatewayLabels = try optionValue { () throws(OptionError) in try OptionValue.labels(gatewaySelector) }
        if let gatewayNamespace {
            options.gatewayNamespace = try optionValue { () throws(OptionError) in
                try OptionValue.namespace(gatewayNamespace)
            }
        }
        options.rootNamespace = try optionValue { () throws(OptionError) in try OptionValue.namespace(rootNamespace) }
        options.domainSuffix = try optionValue { () throws(OptionError) in try OptionValue.domainSuffix(domainSuffix) }
        if let meshListen {
            options.meshListen = try optionValue { () throws(OptionError) in try OptionValue.fixedAddress(meshListen) }
        }
        options.referenceGraceSeconds = try optionValue { () throws(OptionError) in
            try OptionValue.grace(referenceGrace)
        }
        return options
    }
}

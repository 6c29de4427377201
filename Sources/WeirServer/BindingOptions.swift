package import WeirCompiler
import WeirConfig

/// Who the gateway is to the resources: which of them are its own, what it may see, and where it serves callers by name.
package struct BindingOptions: Sendable {
    /// The labels the gateway goes by; `nil` = every Gateway is served.
    package var gatewayLabels: [String: String]?
    /// Where the gateway lives, and with it its Secrets; `nil` = in `default`, its Secrets with their Gateways.
    package var gatewayNamespace: String?
    package var rootNamespace = "istio-system"
    /// Where the gateway runs, `region/zone/subzone`; `nil` = that is not known.
    package var locality: String?
    package var domainSuffix = "cluster.local"
    /// Where callers without a sidecar find services by name; `nil` = nowhere.
    package var meshListen: HostPort?
    /// Seconds an update waits for a service or subset that nobody has declared yet.
    package var referenceGraceSeconds = 2.0

    package init() {}

    /// `bind` is where Gateways are listened on that name no address; `nil` = everywhere.
    package func compilerOptions(workers: Int, bind: String?) -> CompilerOptions {
        var options = CompilerOptions(workers: workers)
        options.bind = bind
        options.gatewayLabels = gatewayLabels
        options.gatewayNamespace = gatewayNamespace ?? options.gatewayNamespace
        options.secretNamespace = gatewayNamespace
        options.rootNamespace = rootNamespace
        options.locality = locality
        options.domainSuffix = domainSuffix
        options.meshListen = meshListen.map {
            MeshAddress(host: $0.host == "localhost" ? "127.0.0.1" : $0.host, port: $0.port)
        }
        options.referenceGraceSeconds = referenceGraceSeconds
        return options
    }
}

extension OptionValue {
    /// The longest grace: beyond it an update that waits would look lost.
    package static let maxGraceSeconds = 3600

    /// `KEY=VALUE`, several of them with commas between or in texts of their own; `nil` without any.
    package static func labels(_ texts: [String]) throws(OptionError) -> [String: String]? {
        if texts.isEmpty { return nil }
        var labels: [String: String] = [:]
        for text in texts.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2, NameSyntax.isLabelKey(sides[0]), NameSyntax.isLabelValue(sides[1]) else {
                throw OptionError("'\(text)' is no label. Write KEY=VALUE, such as istio=ingressgateway.")
            }
            guard labels.updateValue(sides[1], forKey: sides[0]) == nil else {
                throw OptionError("The label \(sides[0]) is given twice.")
            }
        }
        return labels
    }

    /// `region/zone/subzone`, of which the last parts may be missing.
    package static func locality(_ text: String) throws(OptionError) -> String {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && !$0.contains("*") }) else {
            throw OptionError("WEIR_LOCALITY is '\(text)'. Write region/zone/subzone, or the first parts of it.")
        }
        return text
    }

    package static func namespace(_ text: String) throws(OptionError) -> String {
        guard NameSyntax.isNamespace(text) else {
            throw OptionError("'\(text)' is no namespace. Use lower-case letters, digits and hyphens, at most 63.")
        }
        return text
    }

    /// Without a dot at either end.
    package static func domainSuffix(_ text: String) throws(OptionError) -> String {
        guard NameSyntax.isDomain(text), !text.hasSuffix(".") else {
            throw OptionError("'\(text)' is no domain. Write one such as cluster.local.")
        }
        return text.lowercased()
    }

    /// An address with a port that is told to callers, so it cannot be picked.
    package static func fixedAddress(_ text: String) throws(OptionError) -> HostPort {
        let address = try HostPort(text)
        guard address.port > 0 else {
            throw OptionError("'\(text)' names no port. Write the one that callers use, such as 0.0.0.0:15080.")
        }
        return address
    }

    /// `2s`, `500ms`; 0 = none.
    package static func grace(_ text: String) throws(OptionError) -> Double {
        guard let nanoseconds = DurationText.nanoseconds(text), nanoseconds >= 0,
            nanoseconds <= maxGraceSeconds * 1_000_000_000
        else { throw OptionError("'\(text)' is no time up to an hour. Write one such as 2s or 500ms, or 0s for none.") }
        return Double(nanoseconds) / 1e9
    }
}

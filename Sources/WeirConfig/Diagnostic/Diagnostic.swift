/// Something to tell the user about what was written: where, what is wrong, and how to mend it.
package struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
    package enum Severity: String, Sendable, Hashable {
        /// The resource (or file) is not used in this form; the last good one stays.
        case error
        /// Used, but not as the user may think.
        case warning
        case info
    }

    package var code: DiagnosticCode
    package var severity: Severity
    package var resource: ResourceID?
    /// Field path such as `spec.http[0].match[1].uri.regex`; empty when the whole document or file is meant.
    package var path: String
    package var location: SourceLocation
    /// What is wrong and how to fix it, one sentence each.
    package var message: String

    package init(
        _ code: DiagnosticCode, _ severity: Severity, resource: ResourceID? = nil, path: String = "",
        location: SourceLocation, message: String
    ) {
        self.code = code
        self.severity = severity
        self.resource = resource
        self.path = path
        self.location = location
        self.message = message
    }

    /// One line: `error [IST0106] routes.yaml:12 (VirtualService default/shop) spec.http[0].timeout: message`.
    package var description: String {
        var text = "\(severity.rawValue) [\(code.rawValue)] \(location.file):\(location.line)"
        if let resource { text += " (\(resource))" }
        if !path.isEmpty { text += " \(path)" }
        return text + ": " + message
    }
}

/// The stable table of codes: Istio's own where istioctl has one (semantics 7.2), `WEIR` codes otherwise.
package enum DiagnosticCode: String, Sendable, Hashable, CaseIterable {
    /// A field or value with a successor.
    case deprecated = "IST0002"
    /// A reference to a Gateway, host, subset, Secret or workload that does not exist.
    case referenceNotFound = "IST0101"
    /// A field is missing, has the wrong type or an impossible value: the resource is refused.
    case schemaValidation = "IST0106"
    /// An annotation on a kind where it has no meaning.
    case misplacedAnnotation = "IST0107"
    /// An annotation of Istio's or Weir's domain that neither knows.
    case unknownAnnotation = "IST0108"
    /// One host of several VirtualServices in the mesh, where they do not merge.
    case meshHostConflict = "IST0109"
    /// A destination names no port and its service has several.
    case portSelectorRequired = "IST0112"
    /// Services give one port of a pod different protocols.
    case conflictingProtocols = "IST0116"
    /// A Service's port does not tell what it speaks.
    case portNaming = "IST0118"
    /// An annotation's value is none.
    case invalidAnnotation = "IST0125"
    /// A workload selector that matches nothing.
    case noMatchingWorkloads = "IST0127"
    /// TLS to endpoints whose certificates nobody checks.
    case noServerVerification = "IST0128"
    /// The same, for one port.
    case noServerVerificationAtPort = "IST0129"
    /// A rule that no request can reach.
    case unreachableRule = "IST0130"
    /// A condition that an earlier one leaves nothing to.
    case ineffectiveMatch = "IST0131"
    /// None of the VirtualService's hosts is among the hosts of its Gateway.
    case hostNotInGateway = "IST0132"
    /// Accepted, but deprecated or likely wrong.
    case schemaWarning = "IST0133"
    /// A port of a ServiceEntry that a mesh tells by its address alone.
    case addressesRequired = "IST0134"
    /// An annotation with a successor.
    case deprecatedAnnotation = "IST0135"
    /// An annotation of a feature that is not settled.
    case alphaAnnotation = "IST0136"
    /// Services lead different ports to one port of a pod.
    case conflictingPorts = "IST0137"
    /// One certificate on several Gateways.
    case duplicateCertificate = "IST0138"
    /// A gateway's route passes the split of another VirtualService by.
    case routeRulesNotAffected = "IST0140"
    /// Two servers cannot share a port, or claim one host on it.
    case conflictingGateways = "IST0145"
    /// A match on claims of tokens that nobody validates.
    case claimsWithoutAuthentication = "IST0149"
    /// An ExternalName's port that is taken as TCP.
    case externalNamePort = "IST0150"
    /// A Secret without a usable key pair.
    case invalidCredential = "IST0161"
    /// A Gateway's port that its Service does not have.
    case portNotOnService = "IST0162"
    /// A Gateway that Istio made of a Gateway API object.
    case internalGateway = "IST0165"
    /// A subset whose labels no pod has.
    case subsetWithoutPods = "IST0173"
    /// A DestinationRule for no known service.
    case unknownRuleHost = "IST0174"
    /// ServiceEntries give one port of a host different protocols.
    case conflictingEntryProtocols = "IST0177"
    /// A file that is no YAML, or cannot be read.
    case unreadableFile = "WEIR0001"
    /// A field that no Istio or Kubernetes schema has.
    case unknownField = "WEIR0002"
    /// A field Istio has and this version of Weir does not act on.
    case fieldNotHonoured = "WEIR0003"
    /// A kind Weir does not read; one report a kind.
    case unknownKind = "WEIR0004"
    /// The same kind, namespace and name in two places; the first one counts.
    case duplicateResource = "WEIR0005"
    /// A server or feature this version does not serve (for example HTTPS).
    case unsupportedServer = "WEIR0006"
    /// A port that could not be listened on.
    case portUnavailable = "WEIR0007"
    /// A resource that does not apply here: a VirtualService bound to no gateway (or only to `mesh`), a Gateway or rule for others.
    case notBoundToGateway = "WEIR0008"
    /// A field that has no meaning at an ingress, such as a mesh's virtual addresses.
    case notApplicable = "WEIR0009"
    /// A name that DNS gives no addresses for, or not any more.
    case nameNotResolved = "WEIR0010"
    /// An update names what is not declared yet; the edition before serves for a while.
    case waitingForReference = "WEIR0011"
    /// A short name that services of several namespaces have.
    case ambiguousName = "WEIR0012"
}

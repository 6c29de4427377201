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
    /// A reference to a Gateway, host or subset that does not exist.
    case referenceNotFound = "IST0101"
    /// A host of the mesh that an earlier VirtualService has.
    case meshHostConflict = "IST0109"
    /// A field or value with a successor.
    case deprecated = "IST0002"
    /// A field is missing, has the wrong type or an impossible value: the resource is refused.
    case schemaValidation = "IST0106"
    /// A destination names no port and its service has several.
    case portSelectorRequired = "IST0112"
    /// A rule that no request can reach.
    case unreachableRule = "IST0130"
    /// A condition that equals an earlier one.
    case ineffectiveMatch = "IST0131"
    /// None of the VirtualService's hosts is among the hosts of its Gateway.
    case hostNotInGateway = "IST0132"
    /// Accepted, but deprecated or likely wrong.
    case schemaWarning = "IST0133"
    /// A port of a ServiceEntry that a mesh tells by its address alone.
    case addressesRequired = "IST0134"
    /// Two servers cannot share a port.
    case conflictingGateways = "IST0145"
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

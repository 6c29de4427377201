package import WeirConfig

extension DiagnosticCode {
    /// The level Istio gives every message of this code; `nil` where it depends on the message.
    package var level: Diagnostic.Severity? {
        switch self {
        case .referenceNotFound, .schemaValidation, .meshHostConflict, .portSelectorRequired, .conflictingGateways,
            .claimsWithoutAuthentication, .invalidCredential, .subsetWithoutPods, .unreadableFile, .portUnavailable:
            .error
        case .deprecated, .misplacedAnnotation, .unknownAnnotation, .conflictingProtocols, .invalidAnnotation,
            .noMatchingWorkloads, .noServerVerification, .noServerVerificationAtPort, .unreachableRule,
            .hostNotInGateway, .schemaWarning, .addressesRequired, .conflictingPorts, .duplicateCertificate,
            .routeRulesNotAffected, .externalNamePort, .portNotOnService, .internalGateway, .unknownRuleHost,
            .conflictingEntryProtocols:
            .warning
        case .portNaming, .ineffectiveMatch, .deprecatedAnnotation, .alphaAnnotation, .unknownKind: .info
        default: nil
        }
    }
}

import WeirConfig

/// Whether what is not idempotent may be sent again once its bytes were on their way: an annotation of a VirtualService.
///
/// Istio's retries look at no method; without the annotation neither do these.
enum UnsafeRetries {
    static let annotation = "weir.dev/retry-unsafe"
    /// The only value: anything else changes nothing.
    static let never = "never"

    /// Whether a VirtualService asks that its requests are spared that.
    static func areSpared(by service: Resource) -> Bool { service.metadata.annotations[annotation] == never }

    /// What is wrong with the annotation of a VirtualService.
    static func problem(of service: Resource) -> [Diagnostic] {
        guard let value = service.metadata.annotations[annotation], value != never else { return [] }
        return [
            Diagnostic(
                .invalidAnnotation, .warning, resource: service.id, path: "metadata.annotations[\"\(annotation)\"]",
                location: service.location,
                message: "\(value) is no value of \(annotation), so requests of every method are sent again as retryOn "
                    + "says: write \"\(never)\", or remove the annotation.")
        ]
    }
}

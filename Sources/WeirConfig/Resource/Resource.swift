/// A place in a file the user wrote.
///
/// Lines count from 1.
package struct SourceLocation: Sendable, Hashable {
    package var file: String
    package var line: Int

    package init(file: String, line: Int) {
        self.file = file
        self.line = line
    }
}

/// The kinds Weir reads.
///
/// The raw value is the word in `kind:`.
package enum Kind: String, Sendable, Hashable, CaseIterable {
    case gateway = "Gateway"
    case virtualService = "VirtualService"
    case destinationRule = "DestinationRule"
    case serviceEntry = "ServiceEntry"
    case workloadEntry = "WorkloadEntry"
    case service = "Service"
    case endpointSlice = "EndpointSlice"
    case pod = "Pod"
    case secret = "Secret"
    case namespace = "Namespace"

    /// Whether the kind's objects live in no namespace; theirs is empty.
    package var isClusterScoped: Bool { self == .namespace }
}

/// What a resource is known by: kind, namespace and name.
///
/// The API version does not count (Istio: group + kind).
package struct ResourceID: Sendable, Hashable, CustomStringConvertible {
    package var kind: Kind
    package var namespace: String
    package var name: String

    package init(kind: Kind, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    package var description: String {
        namespace.isEmpty ? "\(kind.rawValue) \(name)" : "\(kind.rawValue) \(namespace)/\(name)"
    }
}

/// `metadata:` as far as routing reads it.
package struct Metadata: Sendable, Hashable {
    package var name: String
    package var namespace: String
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    /// RFC 3339 text; RFC 3339 in UTC sorts as text.
    ///
    /// Absent in files: ties then fall to name and namespace.
    package var creationTimestamp: String?
    /// The entry of `ownerReferences` that controls the object.
    package var controller: Owner?

    package struct Owner: Sendable, Hashable {
        package var kind: String
        package var name: String

        package init(kind: String, name: String) {
            self.kind = kind
            self.name = name
        }
    }

    package init(name: String, namespace: String) {
        self.name = name
        self.namespace = namespace
    }
}

/// One decoded document: what the user wrote, in Istio's words.
package struct Resource: Sendable, Hashable {
    package enum Spec: Sendable, Hashable {
        case gateway(Gateway)
        case virtualService(VirtualService)
        case destinationRule(DestinationRule)
        case serviceEntry(ServiceEntry)
        case workloadEntry(WorkloadEndpoint)
        case service(Service)
        case endpointSlice(EndpointSlice)
        case pod(Pod)
        case secret(Secret)
        case namespace(Namespace)
    }

    package var id: ResourceID
    package var metadata: Metadata
    package var spec: Spec
    /// Where the document starts.
    package var location: SourceLocation
    /// Given by the store; changes whenever the document's text or place does.
    ///
    /// The compiler's cache key.
    package var revision: UInt64 = 0

    package init(id: ResourceID, metadata: Metadata, spec: Spec, location: SourceLocation) {
        self.id = id
        self.metadata = metadata
        self.spec = spec
        self.location = location
    }
}

import WeirConfig

extension RoutedService {
    /// Hosts of this VirtualService that callers inside the mesh find at another one.
    var meshDiagnostics: [Diagnostic] {
        meshConflicts.map { conflict in
            let place = conflict.winner.resource.location
            return Diagnostic(
                .meshHostConflict, .warning, resource: resource.id, path: "spec.hosts[\(conflict.host)]",
                location: resource.location,
                message: "Callers that use \(hosts[conflict.host]) are served by \(conflict.winner.resource.id) "
                    + "(\(place.file):\(place.line)) alone: for the mesh, VirtualServices of one host are not merged. Move the "
                    + "rules there, or take the host out of one of them.")
        }
    }

    /// Nobody delegates to it.
    var unusedDelegate: Diagnostic {
        Diagnostic(
            .notBoundToGateway, .warning, resource: resource.id, path: "spec.hosts", location: resource.location,
            message:
                "Without hosts it serves only what other VirtualServices delegate to it, and none does. Name it in the "
                + "`delegate` of a VirtualService, or add hosts and gateways.")
    }
}

extension MeshLayout.Ambiguity {
    /// Told at whatever declares the service that has the name.
    func diagnostic(_ resources: ResourceSet, _ options: CompilerOptions) -> Diagnostic? {
        guard let declared = declaration(of: hosts[0], resources, options) else { return nil }
        return Diagnostic(
            .ambiguousName, .info, resource: declared.id, path: "metadata.name", location: declared.location,
            message:
                "Several namespaces have a service \(name); callers that write the short name reach \(hosts[0]). Those who "
                + "mean \(hosts.dropFirst().joined(separator: ", ")) write the namespace too.")
    }

    private func declaration(of host: String, _ resources: ResourceSet, _ options: CompilerOptions) -> Resource? {
        let namespace = String(host.dropFirst(name.count + 1).prefix { $0 != "." })
        if let service = resources[ResourceID(kind: .service, namespace: namespace, name: name)] { return service }
        let entry = resources.resources(of: .serviceEntry).first { resource in
            guard case .serviceEntry(let entry) = resource.spec else { return false }
            return entry.hosts.contains { $0.lowercased() == host }
        }
        return entry
            ?? resources.resources(of: .virtualService).first { resource in
                guard case .virtualService(let service) = resource.spec else { return false }
                return service.hosts.contains { options.qualified($0, namespace: resource.id.namespace) == host }
            }
    }
}

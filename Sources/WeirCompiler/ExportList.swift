/// `exportTo`: the namespaces that may use a resource.
enum ExportList {
    /// Whether `viewer` may use a resource of `namespace`.
    static func isVisible(_ exportTo: [String], of namespace: String, from viewer: String) -> Bool {
        if exportTo.isEmpty { return true }
        return exportTo.contains { entry in
            switch entry {
            case "*": true
            case ".": namespace == viewer
            default: entry == viewer
            }
        }
    }

    /// The same list for every way to write it.
    static func normalized(_ exportTo: [String], of namespace: String) -> [String] {
        if exportTo.isEmpty || exportTo.contains("*") { return ["*"] }
        return Set(exportTo.map { $0 == "." ? namespace : $0 }).sorted()
    }
}

import WeirConfig

/// A root's rule and its delegate's rules made one (semantics 3.16).
enum DelegateMerge {
    /// The rule of a delegate as the root's rule lets it be, or `nil` when they exclude each other.
    static func rule(root: RoutedRule, leaf: RoutedRule) -> RoutedRule? {
        guard let matches = matches(root: root.http.match, leaf: leaf.http.match) else { return nil }
        var merged = leaf
        merged.http.match = matches
        merged.http.name = joined(root.http.name, leaf.http.name)
        inherit(from: root.http, to: &merged.http)
        return merged
    }

    private static func joined(_ root: String?, _ leaf: String?) -> String? {
        let parts = [root, leaf].compactMap { $0 }.filter { !$0.isEmpty }
        return parts.isEmpty ? nil : parts.joined(separator: "-")
    }

    /// Whole fields, only those the delegate does not have.
    private static func inherit(from root: HTTPRoute, to leaf: inout HTTPRoute) {
        if leaf.rewrite == nil { leaf.rewrite = root.rewrite }
        if leaf.directResponse == nil { leaf.directResponse = root.directResponse }
        if leaf.timeoutMilliseconds == nil { leaf.timeoutMilliseconds = root.timeoutMilliseconds }
        if leaf.retries == nil { leaf.retries = root.retries }
        if leaf.fault == nil { leaf.fault = root.fault }
        if leaf.mirror == nil { leaf.mirror = root.mirror }
        if leaf.mirrorPercentage == nil { leaf.mirrorPercentage = root.mirrorPercentage }
        if leaf.mirrorPercent == nil { leaf.mirrorPercent = root.mirrorPercent }
        if leaf.mirrors.isEmpty { leaf.mirrors = root.mirrors }
        if leaf.corsPolicy == nil { leaf.corsPolicy = root.corsPolicy }
        if leaf.headers == nil { leaf.headers = root.headers }
    }

    // MARK: Matches

    /// Every pair that can hold at once; `nil` when an entry of the delegate has no partner.
    static func matches(root: [HTTPMatchRequest], leaf: [HTTPMatchRequest]) -> [HTTPMatchRequest]? {
        if root.isEmpty { return leaf }
        if leaf.isEmpty { return root }
        var merged: [HTTPMatchRequest] = []
        for leaf in leaf {
            let partners = root.filter { !conflict($0, leaf) }
            if partners.isEmpty { return nil }
            merged += partners.map { match(root: $0, leaf: leaf) }
        }
        return merged
    }

    private static func match(root: HTTPMatchRequest, leaf: HTTPMatchRequest) -> HTTPMatchRequest {
        var merged = leaf
        merged.name = joined(root.name, leaf.name)
        merged.uri = leaf.uri ?? root.uri
        merged.scheme = leaf.scheme ?? root.scheme
        merged.method = leaf.method ?? root.method
        merged.authority = leaf.authority ?? root.authority
        merged.headers = united(root.headers, leaf.headers)
        merged.withoutHeaders = united(root.withoutHeaders, leaf.withoutHeaders)
        merged.queryParams = united(root.queryParams, leaf.queryParams)
        merged.port = leaf.port ?? root.port
        merged.sourceLabels = root.sourceLabels.merging(leaf.sourceLabels) { _, leaf in leaf }
        if (leaf.sourceNamespace ?? "").isEmpty { merged.sourceNamespace = root.sourceNamespace }
        if leaf.gateways.isEmpty { merged.gateways = root.gateways }
        if (leaf.statPrefix ?? "").isEmpty { merged.statPrefix = root.statPrefix }
        return merged
    }

    /// Sorted by name, as both are; the delegate's condition on a name counts.
    private static func united(_ root: [NamedMatch], _ leaf: [NamedMatch]) -> [NamedMatch] {
        if root.isEmpty { return leaf }
        let others = root.filter { condition in !leaf.contains { $0.name == condition.name } }
        return (others + leaf).sorted { $0.name < $1.name }
    }

    // MARK: Conflicts

    static func conflict(_ root: HTTPMatchRequest, _ leaf: HTTPMatchRequest) -> Bool {
        if conflict(root.uri, leaf.uri) || conflict(root.scheme, leaf.scheme) || conflict(root.method, leaf.method)
            || conflict(root.authority, leaf.authority) || conflict(root.headers, leaf.headers)
            || conflict(root.withoutHeaders, leaf.withoutHeaders) || conflict(root.queryParams, leaf.queryParams)
        {
            return true
        }
        if root.ignoreUriCase != leaf.ignoreUriCase { return true }
        if let port = root.port, let other = leaf.port, port != other { return true }
        if let namespace = root.sourceNamespace, !namespace.isEmpty, namespace != leaf.sourceNamespace { return true }
        for (key, value) in leaf.sourceLabels where (root.sourceLabels[key] ?? value) != value { return true }
        return !root.gateways.isEmpty && !Set(root.gateways).isSuperset(of: leaf.gateways)
    }

    private static func conflict(_ root: [NamedMatch], _ leaf: [NamedMatch]) -> Bool {
        leaf.contains { condition in
            conflict(root.first { $0.name == condition.name }?.match, condition.match)
        }
    }

    /// Whether a delegate's condition is no narrowing of the root's.
    static func conflict(_ root: StringMatch?, _ leaf: StringMatch?) -> Bool {
        guard let root, let leaf else { return false }
        return switch (root, leaf) {
        case (.exact(let text), .exact(let other)): text.isEmpty || text != other
        case (.prefix(let prefix), .exact(let text)), (.prefix(let prefix), .prefix(let text)):
            prefix.isEmpty || text.isEmpty || !text.utf8.starts(with: prefix.utf8)
        default: true
        }
    }
}

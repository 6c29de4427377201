import Yams

/// What one document gave.
package struct DecodedDocument: Sendable {
    /// Accepted; a `kind: List` gives several.
    package var resources: [Resource] = []
    /// Identified but refused: the last good version stays.
    package var refused: [ResourceID] = []
    /// No YAML, or no kind or name: the whole file keeps its previous resources.
    package var unparsable = false
    /// Kinds that are not ours, such as `apps/v1 Deployment`, each once, in the order met.
    package var unknownKinds: [String] = []
    package var diagnostics: [Diagnostic] = []

    package init() {}

    /// The first kind that is not ours; no diagnostic was made for it.
    package var unknownKind: String? { unknownKinds.first }
}

/// Turns a document into resources: decoded, validated alone, every problem reported with its line.
package struct DocumentDecoder: Sendable {
    /// Nodes a document may hold through aliases, above the number its length allows without them.
    private static let nodeLimit = 200_000

    private let defaultNamespace: String

    /// `defaultNamespace` is taken where `metadata.namespace` is not written.
    package init(defaultNamespace: String = "default") {
        self.defaultNamespace = defaultNamespace
    }

    /// Decodes and validates; never traps, whatever the bytes.
    ///
    /// Everything wrong is in the result's diagnostics.
    package func decode(_ document: RawDocument, file: String) -> DecodedDocument {
        let limit = Self.nodeLimit + document.text.utf8.count
        let session = DecodeSession(file: file, firstLine: document.firstLine, nodeLimit: limit)
        var result = DecodedDocument()
        do throws(YAMLProblem) {
            if let root = try YAMLComposer.compose(document.text) {
                let value = FieldValue(node: root, path: .root, line: session.line(of: root.mark), session: session)
                if !value.isNull { decode(value, into: &result, root: root) }
            }
        } catch {
            refuse(document, because: error, into: &result, session: session)
        }
        session.flush()
        result.diagnostics = session.diagnostics
        return result
    }

    /// A text that does not parse.
    ///
    /// With a duplicate key the resource may still be named, and then only it is refused.
    private func refuse(
        _ document: RawDocument, because problem: YAMLProblem, into result: inout DecodedDocument,
        session: DecodeSession
    ) {
        let line = document.firstLine + problem.line - 1
        guard problem.isDuplicateKey, let head = DocumentHead(scanning: document.text) else {
            result.unparsable = true
            session.add(.unreadableFile, .error, .root, fileLine: line, problem.message)
            return
        }
        guard let kind = Kind(rawValue: head.kind), kind.isServed(under: head.apiVersion) else {
            result.unknownKinds = ["\(head.apiVersion) \(head.kind)"]
            return
        }
        let namespace = kind.namespace(written: head.namespace ?? "", otherwise: defaultNamespace)
        let id = ResourceID(kind: kind, namespace: namespace, name: head.name)
        session.resource = id
        result.refused.append(id)
        session.add(.schemaValidation, .error, .root, fileLine: line, problem.message)
    }

    private func decode(_ value: FieldValue, into result: inout DecodedDocument, root: Node) {
        value.session.begin()
        guard var envelope = value.mapping() else {
            result.unparsable = true
            return
        }
        let apiVersion = envelope.text("apiVersion") ?? ""
        guard let word = envelope.text("kind"), !word.isEmpty else {
            result.unparsable = true
            value.refuse("The document names no kind. Write apiVersion, kind and metadata.name.")
            return
        }
        if word == "List", apiVersion == "v1" {
            // Only a List at the top is opened, so nesting cannot recurse.
            guard case .root = value.path else {
                return value.refuse("A List cannot hold Lists. Write its items here.")
            }
            for item in envelope.items("items") { decode(item, into: &result, root: root) }
            return
        }
        guard let kind = Kind(rawValue: word), apiVersion.isEmpty || kind.isServed(under: apiVersion) else {
            let name = apiVersion.isEmpty ? word : "\(apiVersion) \(word)"
            if !result.unknownKinds.contains(name) { result.unknownKinds.append(name) }
            return
        }
        decodeResource(kind, apiVersion: apiVersion, value, &envelope, into: &result, root: root)
    }

    private func decodeResource(
        _ kind: Kind, apiVersion: String, _ value: FieldValue, _ envelope: inout FieldReader,
        into result: inout DecodedDocument, root: Node
    ) {
        let session = value.session
        var fields = envelope.mapping("metadata")
        guard var metadata = Metadata(identity: &fields, of: kind, defaultNamespace: defaultNamespace) else {
            result.unparsable = true
            value.refuse("The \(kind.rawValue) has no name. Write metadata.name.")
            return
        }
        let id = ResourceID(kind: kind, namespace: metadata.namespace, name: metadata.name)
        session.resource = id
        if apiVersion.isEmpty { value.refuse("The apiVersion is missing. Write apiVersion: \(kind.apiVersion).") }
        metadata.readDetails(&fields)
        let spec = Resource.Spec(kind, &envelope, metadata)
        let location = SourceLocation(file: session.file, line: value.line)
        let resource = Resource(id: id, metadata: metadata, spec: spec, location: location)
        var findings = Findings()
        resource.validate(at: value.path, into: &findings)
        report(findings, root: root, session: session)
        if session.hasErrors {
            result.refused.append(id)
        } else {
            result.resources.append(resource)
        }
    }

    /// Gives the validator's findings their lines.
    ///
    /// A finding at a place that failed to decode follows from that failure and is dropped.
    private func report(_ findings: Findings, root: Node, session: DecodeSession) {
        let decodeErrors = session.errorPaths
        for finding in findings.all {
            let text = finding.path.description
            if decodeErrors.contains(where: { !$0.isEmpty && FieldPath.related($0, text) }) { continue }
            func line() -> Int { LineFinder.line(of: finding.path, in: root, session: session) }
            if finding.severity == .error {
                session.error(finding.path, line: line(), finding.message)
            } else {
                session.add(finding.code, finding.severity, finding.path, fileLine: line(), finding.message)
            }
        }
    }
}

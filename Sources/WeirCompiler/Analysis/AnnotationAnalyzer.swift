import WeirConfig
import WeirEngine

extension Analyzer {
    /// Annotations of Istio's and Weir's domains.
    static let annotations = Analyzer(
        "annotation.Known", "Annotations that are unknown, misplaced, malformed, deprecated or not settled",
        inputs: Kind.allCases,
        codes: [
            .misplacedAnnotation, .unknownAnnotation, .invalidAnnotation, .deprecatedAnnotation, .alphaAnnotation,
        ]
    ) { context, findings in
        for kind in Kind.allCases {
            for resource in context.resources.resources(of: kind) {
                for (name, value) in resource.metadata.annotations.sorted(by: { $0.key < $1.key })
                where KnownAnnotation.isOurs(name) {
                    report(name, value, of: resource, &findings)
                }
            }
        }
    }

    private static func report(
        _ name: String, _ value: String, of resource: Resource, _ findings: inout AnalysisFindings
    ) {
        let path = "metadata.annotations[\"\(name)\"]"
        guard let known = KnownAnnotation.find(name) else {
            return findings.report(
                .unknownAnnotation, resource, path: path,
                "There is no annotation \(name), so it does nothing. Correct its name, or remove it.")
        }
        guard known.kinds.isEmpty || known.kinds.contains(resource.id.kind.rawValue) else {
            return findings.report(
                .misplacedAnnotation, resource, path: path,
                "\(name) has a meaning on \(known.kinds.joined(separator: ", ")) only. Move it there, or remove it.")
        }
        if let problem = known.value.problem(with: value) {
            findings.report(.invalidAnnotation, resource, path: path, "\(value) is no value of \(name): \(problem)")
        }
        if known.isDeprecated {
            findings.report(
                .deprecatedAnnotation, resource, path: path,
                "\(name) is deprecated in Istio. Remove it when nothing needs it.")
        } else if known.isAlpha {
            findings.report(
                .alphaAnnotation, resource, path: path,
                "\(name) belongs to a feature that Istio calls alpha; it may change. Weir takes no notice of it.")
        }
    }
}

extension KnownAnnotation.Value {
    /// What is wrong with a value, if anything.
    fileprivate func problem(with text: String) -> String? {
        let words = text.split(separator: ",").map { $0.trimmed }
        switch self {
        case .any: return nil
        case .number: return Int(text).map { $0 >= 0 } == true ? nil : "write a whole number, 0 or more."
        case .flag: return ["true", "false"].contains(text.lowercased()) ? nil : "write true or false."
        case .word(let known): return known.contains(text) ? nil : "write one of \(known.joined(separator: ", "))."
        case .ports:
            let isGood = text == "*" || words.allSatisfy { Int($0).map { (0...65535).contains($0) } == true }
            return isGood ? nil : "write port numbers with commas between, or *."
        case .ranges:
            let isGood = text == "*" || words.allSatisfy { Self.isRange($0) }
            return isGood ? nil : "write address ranges such as 10.0.0.0/8 with commas between, or *."
        case .namespaces:
            let isGood =
                !words.isEmpty
                && words.allSatisfy { word in
                    ["*", ".", "~"].contains(word) || word.utf8.allSatisfy { Self.isLabelByte($0) }
                }
            return isGood ? nil : "write namespaces with commas between, or *, . or ~."
        }
    }

    private static func isRange(_ text: String) -> Bool {
        let sides = text.split(separator: "/", omittingEmptySubsequences: false)
        guard sides.count == 2, let bits = Int(sides[1]) else { return false }
        guard !sides[0].hasPrefix("unix:"), EndpointTarget(String(sides[0])) != nil else { return false }
        return (0...(sides[0].contains(":") ? 128 : 32)).contains(bits)
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}

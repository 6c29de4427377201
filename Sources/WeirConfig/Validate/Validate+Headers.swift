extension Headers {
    func validate(at path: FieldPath, into findings: inout Findings) {
        request?.validate(at: path["request"], ofRequest: true, into: &findings)
        response?.validate(at: path["response"], ofRequest: false, into: &findings)
    }
}

extension HeaderOperations {
    /// Whether a name stands for the request's authority.
    package static func isAuthority(_ name: String) -> Bool {
        let name = name.lowercased()
        return name == "host" || name == ":authority"
    }

    fileprivate func validate(at path: FieldPath, ofRequest: Bool, into findings: inout Findings) {
        for (field, operations) in [("set", set), ("add", add)] {
            for (name, value) in operations.sorted(by: { $0.key < $1.key }) {
                let place = path[field][name]
                if !(ofRequest && Self.isAuthority(name)) { Self.validate(name, at: place, into: &findings) }
                if let problem = HeaderValueSyntax.problem(value) { findings.error(place, problem) }
            }
        }
        for (index, name) in remove.enumerated() { Self.validate(name, at: path["remove"][index], into: &findings) }
    }

    private static func validate(_ name: String, at path: FieldPath, into findings: inout Findings) {
        if name.isEmpty {
            findings.error(path, "The header has no name. Write one.")
        } else if isAuthority(name) || name.hasPrefix(":") {
            findings.error(
                path, "\(name) is part of the request line, which stays. Remove it; use rewrite for requests.")
        } else if !NameSyntax.isHeaderName(name) {
            findings.error(path, "\(name) is no header's name. Use letters, digits and hyphens.")
        }
    }
}

/// The text of a header that is set or added: literal characters, `%%`, and variables such as `%REQ(X-ID?ALT):8%`.
enum HeaderValueSyntax {
    /// What is wrong with the text and how to mend it, or `nil`; whether a variable exists is not asked.
    static func problem(_ value: String) -> String? {
        // RFC 9110 §5.5: a tab is the only control character a value may hold.
        if value.utf8.contains(where: { ($0 < 0x20 && $0 != UInt8(ascii: "\t")) || $0 == 0x7F }) {
            return "The value holds a control character. Remove it; a header has one line."
        }
        var rest = Substring(value).utf8
        while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
            rest = rest[rest.index(after: percent)...]
            guard takeVariable(&rest) else {
                return "A % begins a variable such as %PROTOCOL% and none follows. Write %% for the character itself."
            }
        }
        return nil
    }

    /// Takes what follows a `%` up to the one that ends it.
    private static func takeVariable(_ rest: inout Substring.UTF8View) -> Bool {
        if rest.first == UInt8(ascii: "%") {
            rest.removeFirst()
            return true
        }
        let name = rest.prefix { isNameByte($0) }
        guard !name.isEmpty else { return false }
        rest = rest[name.endIndex...]
        if rest.first == UInt8(ascii: "(") {
            // The argument may hold percent signs: %START_TIME(%Y)%.
            guard let end = rest.firstIndex(of: UInt8(ascii: ")")) else { return false }
            rest = rest[rest.index(after: end)...]
        }
        if rest.first == UInt8(ascii: ":") {
            let length = rest.dropFirst().prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            rest = rest[length.endIndex...]
        }
        guard rest.first == UInt8(ascii: "%") else { return false }
        rest.removeFirst()
        return true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
    }
}

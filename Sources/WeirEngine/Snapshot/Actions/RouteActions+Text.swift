/// What a route does besides sending requests on, a text a thing: for dumps.
extension RouteActions {
    package var texts: [String] {
        var texts = fault?.texts ?? []
        switch answer {
        case .redirect(let redirect): texts.append(redirect.text)
        case .direct(let status, let body): texts.append("answer \(status) with \(body.count) bytes")
        case nil: break
        }
        texts += rewrite.texts
        if let cors { texts.append(cors.text) }
        return texts + HeaderEdits.texts(requestEdits, responseEdits)
    }
}

extension RequestShare: CustomStringConvertible {
    /// In percent, as written.
    package var description: String {
        let hundredths = Double(millionths) / 10_000
        return hundredths == hundredths.rounded() ? "\(Int(hundredths)) %" : "\(hundredths) %"
    }
}

extension FaultInjection {
    fileprivate var texts: [String] {
        let delays = delay.map { ["delay \($0.share) by \($0.milliseconds)ms"] } ?? []
        let aborts = abort.map { abort in
            switch abort.failure {
            case .status(let code): ["abort \(abort.share) with \(code)"]
            case .grpc(let code): ["abort \(abort.share) with gRPC status \(code)"]
            }
        }
        return delays + (aborts ?? [])
    }
}

extension DestinationActions {
    package var texts: [String] {
        (authority.map { ["rewrite authority to \"\($0)\""] } ?? []) + HeaderEdits.texts(requestEdits, responseEdits)
    }
}

extension HeaderEdits {
    fileprivate static func texts(_ request: HeaderEdits, _ response: HeaderEdits) -> [String] {
        (request.isEmpty ? [] : ["request headers: \(request)"])
            + (response.isEmpty ? [] : ["response headers: \(response)"])
    }
}

extension RouteAnswer.Redirect {
    fileprivate var text: String {
        var parts = ["redirect \(status)"]
        if let scheme { parts.append("scheme \(scheme)") }
        if let authority { parts.append("authority \(authority)") }
        if port != 0 { parts.append("port \(port)") }
        switch path {
        case .kept: break
        case .whole(let text): parts.append("path \"\(text)\"")
        case .prefix(let length, let text): parts.append("path's first \(length) bytes \"\(text)\"")
        }
        return parts.joined(separator: ", ")
    }
}

extension RouteRewrite {
    fileprivate var texts: [String] {
        let path: String? =
            switch path {
            case .kept: nil
            case .whole(let text): "rewrite path to \"\(text)\""
            case .prefix(let length, let text): "rewrite path's first \(length) bytes to \"\(text)\""
            case .regex(let regex, let text): "rewrite \"\(regex.pattern)\" in path to \"\(text)\""
            }
        return [path, authority.map { "rewrite authority to \"\($0)\"" }].compactMap(\.self)
    }
}

extension CORSPolicy {
    fileprivate var text: String {
        let allowed = origins.map { origin in
            switch origin {
            case .exact(let text): "\"\(text)\""
            case .prefix(let text): "prefix \"\(text)\""
            case .regex(let regex): "regex \"\(regex.pattern)\""
            }
        }
        return "cors for \(allowed.isEmpty ? "no origin" : allowed.joined(separator: ", "))"
    }
}

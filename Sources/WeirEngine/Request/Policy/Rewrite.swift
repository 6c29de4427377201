import Glibc

/// Rewrites where a request goes, leaving notes of what it was (semantics 3.9).
extension RequestHead {
    /// Puts another authority in the place of the request's; nothing when it is empty.
    ///
    /// `noting`: `x-envoy-original-host` says what it was.
    func rewrite(_ authority: AuthorityPlan, noting: Bool) {
        guard let source = authority.text.baseAddress else { return }
        if noting {
            block.append(.xEnvoyControl, "x-envoy-original-host", copying: self.authority)
        }
        // A copy: the log reads it when the plan may be gone.
        let room = block.reserve(authority.text.count)
        memcpy(room, source, authority.text.count)
        self.authority = UnsafeRawBufferPointer(start: room, count: authority.text.count)
        hostLength = authority.hostLength
    }

    /// Rewrites the path as the route says; `false` when the result is too long.
    func rewrite(_ plan: RewritePlan, worker: Int, _ values: HeaderValues) -> Bool {
        switch plan.path {
        case .kept: break
        case .whole: replacePath(first: pathLength, by: plan.text)
        case .prefix: replacePath(first: Int(plan.prefixLength), by: plan.text)
        case .regex:
            guard let regex = plan.regex else { return true }
            let scratch = values.scratch
            guard
                let length = RegexProgram.replaceAll(regex, worker: worker, path, by: plan.text, into: scratch)
            else { return false }
            // A path must not become nothing: then it stays.
            if length > 0 { replacePath(first: pathLength, by: UnsafeRawBufferPointer(rebasing: scratch[..<length])) }
        }
        return true
    }

    /// Puts a text in the place of the path's first bytes; `x-envoy-original-path` says what it was.
    func replacePath(first count: Int, by text: UnsafeRawBufferPointer) {
        let original = UnsafeRawBufferPointer(target)
        let kept = UnsafeRawBufferPointer(rebasing: original[min(count, pathLength)...])
        let length = text.count + kept.count
        let room = UnsafeMutableRawPointer(block.reserve(length))
        if let source = text.baseAddress { memcpy(room, source, text.count) }
        if let source = kept.baseAddress { memcpy(room + text.count, source, kept.count) }
        // The bytes received live as long as the head.
        if originalTarget == nil, let start = original.baseAddress?.assumingMemoryBound(to: UInt8.self) {
            originalTarget = original
            block.append(.xEnvoyControl, "x-envoy-original-path", start, original.count)
        }
        target = UnsafeMutableRawBufferPointer(start: room, count: length)
        let query = memchr(room, Int32(ASCII.question), length)
        pathLength = query.map { UnsafeRawPointer($0) - UnsafeRawPointer(room) } ?? length
    }
}

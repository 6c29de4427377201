import Glibc

/// Where a redirect sends the client (semantics 2.5, 3.7).
extension ResponseHead {
    /// Appends `location` as a route's redirect says; whatever it leaves open is as in the request.
    func locate(_ plan: RedirectPlan, _ request: RequestHead, _ scheme: Scheme) {
        let ownScheme = Self.text(scheme)
        let newScheme = plan.scheme.isEmpty ? ownScheme : plan.scheme
        var authority = plan.authority
        if authority.isEmpty {
            let isOther = !plan.scheme.isEmpty && !Self.areEqual(plan.scheme, ownScheme)
            let dropsPort = !plan.port.isEmpty || isOther && Self.endsInDefaultPort(request, scheme)
            authority = dropsPort ? request.host : request.authority
        }
        let target = UnsafeRawBufferPointer(request.target)
        switch plan.path {
        case .kept, .prefix: locate(newScheme, authority, plan.port, target, nil)
        case .whole:
            let query = UnsafeRawBufferPointer(rebasing: target[request.pathLength...])
            locate(newScheme, authority, plan.port, plan.text, query)
        case .wholeWithQuery: locate(newScheme, authority, plan.port, plan.text, nil)
        }
    }

    /// Appends `location` with the request's own address, in another scheme or its own; the port stays.
    func locate(_ scheme: Scheme, _ request: RequestHead) {
        locate(Self.text(scheme), request.authority, nil, UnsafeRawBufferPointer(request.target), nil)
    }

    private func locate(
        _ scheme: UnsafeRawBufferPointer, _ authority: UnsafeRawBufferPointer, _ port: UnsafeRawBufferPointer?,
        _ path: UnsafeRawBufferPointer, _ query: UnsafeRawBufferPointer?
    ) {
        let bound = scheme.count + authority.count + (port?.count ?? 0) + path.count + (query?.count ?? 0) + 4
        let room = block.reserve(bound)
        var at = room
        func put(_ bytes: UnsafeRawBufferPointer?) {
            guard let bytes, let start = bytes.baseAddress else { return }
            memcpy(at, start, bytes.count)
            at += bytes.count
        }
        put(scheme)
        at += ASCII.write("://", into: at)
        put(authority)
        put(port)
        if path.first != ASCII.slash {
            at.pointee = ASCII.slash
            at += 1
        }
        put(path)
        put(query)
        block.append(.location, "location", room, at - room)
    }

    private static func text(_ scheme: Scheme) -> UnsafeRawBufferPointer {
        let name: StaticString = scheme == .https ? "https" : "http"
        return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }

    private static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        left.elementsEqual(right)
    }

    /// Whether the client named the port that its scheme has anyway.
    private static func endsInDefaultPort(_ request: RequestHead, _ scheme: Scheme) -> Bool {
        let port = UnsafeRawBufferPointer(rebasing: request.authority[request.hostLength...])
        return ASCII.equals(port, scheme == .https ? ":443" : ":80")
    }
}

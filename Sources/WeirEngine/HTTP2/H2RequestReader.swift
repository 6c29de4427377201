import Glibc

/// Makes a request's head of the fields of an HTTP/2 stream (RFC 9113 section 8.3), as strictly as HTTP/1's reader does.
///
/// nghttp2 has looked at order, repetition and bytes of the pseudo-header fields, at the case and the bytes of names, and has
/// refused connection-specific fields; what it leaves open is judged here, by HTTP/1's rules where they are the same.
struct H2RequestReader {
    /// A piece of the head in the store.
    private struct Span {
        var start = -1
        var count = 0

        var isThere: Bool { start >= 0 }

        func bytes(_ head: UnsafeMutablePointer<UInt8>) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(start: head + start, count: count)
        }
    }

    private var method = Span()
    private var path = Span()
    private var authority = Span()
    private var scheme = Span()
    private var tunnel = Span()
    private var framing = H1Framing()
    private var cookieLines = 0
    private var error: H1Error?
    /// Names and values so far, those that are not kept as well.
    private(set) var bytes = 0

    // MARK: Fields

    /// Takes the next field in.
    mutating func add(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to head: RequestHead,
        _ store: inout H2FieldStore, _ pool: BufferPool
    ) {
        bytes += name.count + value.count
        if bytes > H2Limits.maxHeaderListBytes { error = error ?? .headTooLarge }
        guard error == nil, let first = name.first else { return }
        guard first != ASCII.colon else {
            let span = Span(start: store.add(value, moving: &head.block, pool: pool), count: value.count)
            return addPseudo(name, span)
        }
        guard let start = name.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        let token = HeaderName.lookup(start, length: name.count)
        if token == .cookie, extendCookie(value, head, &store, pool) { return }
        guard head.block.count < HeaderBlock.maxReceived else {
            error = .headTooLarge
            return
        }
        store.addLine(token, name, value, to: &head.block, pool: pool)
        note(token, head.block.fields, head.block.count - 1)
    }

    private mutating func addPseudo(_ name: UnsafeRawBufferPointer, _ span: Span) {
        switch name.count {
        case 5: path = span
        case 7 where name[1] == UInt8(ascii: "m"): method = span
        case 7: scheme = span
        case 9: tunnel = span
        default: authority = span
        }
    }

    private mutating func note(_ token: HeaderName, _ fields: UnsafeMutablePointer<HeaderField>, _ index: Int) {
        if token == .cookie { cookieLines += 1 }
        if H1Framing.isHopByHop(token) { fields[index].removed = true }
        if H1Framing.isOfInterest(token) { error = framing.note(fields, index) }
    }

    /// Joins a crumb to the line before it, if that is a cookie as well (RFC 9113 section 8.2.3).
    private func extendCookie(
        _ value: UnsafeRawBufferPointer, _ head: RequestHead, _ store: inout H2FieldStore, _ pool: BufferPool
    ) -> Bool {
        let last = head.block.count - 1
        guard last >= 0, head.block.fields[last].token == .cookie else { return false }
        _ = store.add(Self.crumbSeparator, moving: &head.block, pool: pool)
        _ = store.add(value, moving: &head.block, pool: pool)
        head.block.fields[last].valueLength += UInt32(Self.crumbSeparator.count + value.count)
        return true
    }

    private static var crumbSeparator: UnsafeRawBufferPointer {
        let text: StaticString = "; "
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    // MARK: The whole

    /// Fills in what follows from the fields; `hasBody`: the stream has not ended with them.
    mutating func finish(
        _ head: RequestHead, _ store: inout H2FieldStore, scheme: Scheme, hasBody: Bool
    ) -> H1Error? {
        let start = store.start
        head.backing = store.finish()
        head.version = .http2
        head.scheme = scheme
        if let error { return error }
        guard isKnownScheme(start) else { return .malformed }
        guard method.isThere, let token = lookupMethod(start) else { return .malformed }
        head.method = token
        head.methodBytes = UnsafeRawBufferPointer(method.bytes(start))
        if let error = settleAuthority(head, start) { return error }
        if let error = settleConnect(head, start) { return error }
        if let error = settlePath(head, start) { return error }
        settleFraming(head, hasBody: hasBody)
        if cookieLines > 1 { joinCookies(head) }
        return nil
    }

    private func lookupMethod(_ start: UnsafeMutablePointer<UInt8>) -> MethodToken? {
        guard method.count > 0 else { return nil }
        return MethodToken.lookup(start + method.start, length: method.count)
    }

    /// What the client calls its scheme must be one; which it is the connection knows.
    private func isKnownScheme(_ start: UnsafeMutablePointer<UInt8>) -> Bool {
        guard scheme.isThere else { return true }
        let name = start + scheme.start
        return ASCII.equalsCaseless(name, count: scheme.count, "https")
            || ASCII.equalsCaseless(name, count: scheme.count, "http")
    }

    /// One host, whichever field says it (RFC 9113 section 8.3.1).
    private func settleAuthority(_ head: RequestHead, _ start: UnsafeMutablePointer<UInt8>) -> H1Error? {
        guard !framing.hasTwoHosts else { return .malformed }
        let line = Int(framing.hostIndex)
        if authority.isThere {
            head.authority = UnsafeRawBufferPointer(authority.bytes(start))
            if line >= 0, !isSame(head.authority, head.block.fields[line].valueBytes) { return .malformed }
        } else if line >= 0 {
            head.authority = head.block.fields[line].valueBytes
        } else {
            return .missingHost
        }
        guard let length = H1Authority.hostLength(head.authority) else { return .malformed }
        head.hostLength = length
        if line < 0 {
            // As every other request has it.
            let value = start + authority.start
            head.block.append(.host, "host", UnsafePointer(value), authority.count)
        }
        return nil
    }

    private func isSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count, let left = left.baseAddress, let other = right.baseAddress else {
            return false
        }
        return ASCII.equalsCaseless(
            left.assumingMemoryBound(to: UInt8.self), other.assumingMemoryBound(to: UInt8.self), count: right.count)
    }

    /// CONNECT with a protocol asks for a tunnel (RFC 8441 section 4); for every other side it is HTTP/1.1's upgrade.
    private mutating func settleConnect(_ head: RequestHead, _ start: UnsafeMutablePointer<UInt8>) -> H1Error? {
        guard head.method == .connect else { return tunnel.isThere ? .malformed : nil }
        guard tunnel.isThere else { return .connectMethod }
        let get: StaticString = "GET"
        head.method = .get
        head.methodBytes = UnsafeRawBufferPointer(start: get.utf8Start, count: get.utf8CodeUnitCount)
        if ASCII.equalsCaseless(start + tunnel.start, count: tunnel.count, "websocket") {
            head.wantsUpgrade = true
        } else {
            head.wantsOtherProtocol = true
        }
        return nil
    }

    /// As HTTP/1 reads an origin-form target.
    private func settlePath(_ head: RequestHead, _ start: UnsafeMutablePointer<UInt8>) -> H1Error? {
        guard path.isThere, path.count > 0 else { return .malformed }
        let target = start + path.start
        guard target.pointee == ASCII.slash else {
            let isAsterisk = path.count == 1 && target.pointee == UInt8(ascii: "*")
            return isAsterisk && head.method == .options ? .asteriskTarget : .malformed
        }
        let classes = ASCII.targetTable
        var query = -1
        var needsLook = false
        for index in 0..<path.count {
            let kind = classes[Int(target[index])]
            if kind == 0 { continue }
            if kind == ASCII.targetEnd { return .malformed }
            if kind == ASCII.targetQuery {
                if query < 0 { query = index }
            } else if query < 0 || target[index] == ASCII.hash {
                needsLook = true
            }
        }
        var lengths = (path: query < 0 ? path.count : query, target: path.count)
        if needsLook {
            guard let found = PathNormalization.apply(target, count: path.count) else { return .badPath }
            lengths = found
        }
        head.target = UnsafeMutableRawBufferPointer(start: target, count: lengths.target)
        head.pathLength = lengths.path
        return nil
    }

    private func settleFraming(_ head: RequestHead, hasBody: Bool) {
        let declared = framing.requestFraming() ?? .none
        // A tunnel's bytes are not the request's.
        head.framing = hasBody && declared == .none && !head.wantsUpgrade ? .chunked : declared
        head.keepAlive = true
        head.expectsContinue = framing.expectsContinue
        head.isGRPC = framing.isGRPC
        head.isGRPCWeb = framing.isGRPCWeb
    }

    /// Makes one line of crumbs that lie apart.
    private func joinCookies(_ head: RequestHead) {
        var length = 0
        for line in head.block.lines where line.token == .cookie {
            length += Int(line.valueLength) + Self.crumbSeparator.count
        }
        let room = head.block.reserve(length)
        var at = room
        for index in 0..<head.block.count where head.block.fields[index].token == .cookie {
            if at > room { at += ASCII.write("; ", into: at) }
            let line = head.block.fields[index]
            ASCII.copy(line.value, into: at, count: Int(line.valueLength))
            at += Int(line.valueLength)
        }
        head.block.remove(.cookie)
        head.block.append(.cookie, "cookie", room, at - room)
    }
}

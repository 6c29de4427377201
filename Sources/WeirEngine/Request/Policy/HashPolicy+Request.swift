import Glibc

/// What a hash policy finds in a request, hashed as Istio's gateway hashes it.
extension HashPolicyPlan {
    /// `nil` when the request has nothing of what the policy looks at.
    func hash(_ head: RequestHead, _ downstream: UnsafePointer<DownstreamInfo>) -> UInt64? {
        switch subject {
        case .header: return header(head.block)
        case .authority: return XXHash64.hash(head.authority)
        case .method: return XXHash64.hash(head.methodBytes)
        case .target: return XXHash64.hash(UnsafeRawBufferPointer(head.target))
        case .scheme: return scheme(downstream.pointee.scheme)
        case .query: return parameter(head.query)
        case .sourceAddress: return Self.hash(source: downstream.pointee.peer)
        case .cookie: return cookie(head.block)
        }
    }

    private func isName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count == name.count && (bytes.isEmpty || memcmp(bytes.baseAddress!, name.baseAddress!, name.count) == 0)
    }

    private func scheme(_ scheme: Scheme) -> UInt64 {
        let text: StaticString = scheme == .https ? "https" : "http"
        return XXHash64.hash(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// An address that is none, as of a unix socket's peer, is nothing to go by.
    static func hash(source peer: EndpointAddress) -> UInt64? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: SocketAddress.maxHostText) { room in
            let count = peer.writeHost(into: room.baseAddress!)
            return count == 0 ? nil : XXHash64.hash(UnsafeRawBufferPointer(start: room.baseAddress, count: count))
        }
    }

    private func parameter(_ query: UnsafeRawBufferPointer) -> UInt64? {
        var parameters = QueryParameters(query)
        while let parameter = parameters.next() {
            if isName(parameter.name) { return XXHash64.hash(parameter.value) }
        }
        return nil
    }

    // MARK: Headers

    private func header(_ block: borrowing HeaderBlock) -> UInt64? {
        var first = -1
        var count = 0
        for index in 0..<block.count where !block.fields[index].removed && isName(block.fields[index].nameBytes) {
            if first < 0 { first = index }
            count += 1
        }
        if count == 0 { return nil }
        return count == 1 ? XXHash64.hash(block.fields[first].valueBytes) : lines(block, count)
    }

    /// Several lines: each is hashed with what the one before gave, in the order of their values.
    private func lines(_ block: borrowing HeaderBlock, _ count: Int) -> UInt64 {
        let fields = block.fields
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: count) { order in
            var used = 0
            for index in 0..<block.count where !fields[index].removed && isName(fields[index].nameBytes) {
                var place = used
                while place > 0, Self.isLess(fields[index].valueBytes, fields[order[place - 1]].valueBytes) {
                    order[place] = order[place - 1]
                    place -= 1
                }
                order[place] = index
                used += 1
            }
            var hash: UInt64 = 0
            for index in order { hash = XXHash64.hash(fields[index].valueBytes, seed: hash) }
            return hash
        }
    }

    private static func isLess(_ some: UnsafeRawBufferPointer, _ others: UnsafeRawBufferPointer) -> Bool {
        let common = min(some.count, others.count)
        let order = common == 0 ? 0 : memcmp(some.baseAddress!, others.baseAddress!, common)
        return order != 0 ? order < 0 : some.count < others.count
    }

    // MARK: Cookies

    /// The first cookie of the name; an empty one is none.
    private func cookie(_ block: borrowing HeaderBlock) -> UInt64? {
        for index in 0..<block.count where block.fields[index].token == .cookie && !block.fields[index].removed {
            var rest = block.fields[index].valueBytes
            while !rest.isEmpty {
                let end = Self.offset(of: UInt8(ascii: ";"), in: rest)
                let pair = UnsafeRawBufferPointer(rebasing: rest[..<end])
                rest = UnsafeRawBufferPointer(rebasing: rest[min(end + 1, rest.count)...])
                guard let value = value(of: pair) else { continue }
                return value.isEmpty ? nil : XXHash64.hash(value)
            }
        }
        return nil
    }

    /// The value of `name=value` when it is the cookie looked for, without the quotes around it.
    private func value(of pair: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let equals = Self.offset(of: UInt8(ascii: "="), in: pair)
        guard equals < pair.count else { return nil }
        var start = 0
        while pair[start] == ASCII.space { start += 1 }
        guard start <= equals, isName(UnsafeRawBufferPointer(rebasing: pair[start..<equals])) else { return nil }
        let value = pair[(equals + 1)...]
        guard value.count >= 2, value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\"") else {
            return UnsafeRawBufferPointer(rebasing: value)
        }
        return UnsafeRawBufferPointer(rebasing: value.dropFirst().dropLast())
    }

    /// The count where there is none.
    private static func offset(of byte: UInt8, in bytes: UnsafeRawBufferPointer) -> Int {
        guard let start = bytes.baseAddress, let hit = memchr(start, Int32(byte), bytes.count) else {
            return bytes.count
        }
        return UnsafeRawPointer(hit) - start
    }
}

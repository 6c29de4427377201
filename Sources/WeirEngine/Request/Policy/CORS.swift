import Glibc

/// Which answers scripts of other origins may read, and what preflights are told (semantics 3.14).
extension CORSPlan {
    /// Whether the origin may use the route.
    func allows(_ origin: UnsafeRawBufferPointer, worker: Int) -> Bool {
        if allowsEveryOrigin { return true }
        for index in 0..<Int(originCount) where origins[index].matches(origin, worker: worker) { return true }
        return false
    }

    /// Whether a request from an origin asks what a later one may do.
    static func isPreflight(_ head: RequestHead) -> Bool {
        guard head.method == .options else { return false }
        return !head.block.value("access-control-request-method").isEmpty
    }

    /// Writes what a preflight is told; `origin` is empty when it is none that the route allows.
    func writePreflight(_ origin: UnsafeRawBufferPointer, _ request: RequestHead, into block: inout HeaderBlock) {
        writeAnswer(origin, into: &block)
        Self.write(
            "access-control-allow-methods", methods, "access-control-request-method", request, into: &block)
        Self.write(
            "access-control-allow-headers", headers, "access-control-request-headers", request, into: &block)
        if !maxAge.isEmpty { block.replace("access-control-max-age", copying: maxAge) }
    }

    /// Writes what makes an answer readable, over whatever is there; who may not read it is not told what there is.
    func writeAnswer(_ origin: UnsafeRawBufferPointer, into block: inout HeaderBlock) {
        if allowsCredentials { block.replace("access-control-allow-credentials", copying: Self.yes) }
        guard !origin.isEmpty else { return }
        block.replace("access-control-allow-origin", copying: origin)
        if !exposed.isEmpty { block.replace("access-control-expose-headers", copying: exposed) }
    }

    /// A list of the policy; `*` stands for what the request asks for.
    private static func write(
        _ name: StaticString, _ list: UnsafeRawBufferPointer, _ asked: StaticString, _ request: RequestHead,
        into block: inout HeaderBlock
    ) {
        guard !list.isEmpty else { return }
        let isStar = ASCII.equals(list, "*")
        block.replace(name, copying: isStar ? request.block.value(asked) : list)
    }

    private static var yes: UnsafeRawBufferPointer {
        let text: StaticString = "true"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}

extension HeaderBlock {
    /// The value of a header without a token; empty when there is none.
    ///
    /// Of repeated lines one is made, joined with commas.
    mutating func value(_ name: StaticString) -> UnsafeRawBufferPointer {
        var found = UnsafeRawBufferPointer(start: nil, count: 0)
        for index in 0..<count where isLine(index, name) {
            let value = fields[index].valueBytes
            found = found.baseAddress == nil ? value : join(found, value)
        }
        return found
    }

    private mutating func join(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        let length = first.count + 1 + second.count
        let room = reserve(length)
        if let source = first.baseAddress { memcpy(room, source, first.count) }
        room[first.count] = ASCII.comma
        if let source = second.baseAddress { memcpy(room + first.count + 1, source, second.count) }
        return UnsafeRawBufferPointer(start: room, count: length)
    }

    /// Makes a line the only one of its name.
    fileprivate mutating func replace(_ name: StaticString, copying value: UnsafeRawBufferPointer) {
        for index in 0..<count where isLine(index, name) { fields[index].removed = true }
        append(.other, name, copying: value)
    }

    private func isLine(_ index: Int, _ name: StaticString) -> Bool {
        let field = fields[index]
        return !field.removed && Int(field.nameLength) == name.utf8CodeUnitCount && ASCII.equals(field.name, name)
    }
}

import Glibc

/// Removes, sets and adds header lines (semantics 3.15).
extension HeaderBlock {
    /// Drops the lines that a plan removes; the first step, so that no value tells of them.
    mutating func removeLines(_ plan: HeaderEditPlan) {
        for index in 0..<Int(plan.removeCount) { remove(plan.edits[index].header, before: count) }
    }

    /// Sets and adds a plan's lines, whose values have been read; `false` when the block is full.
    ///
    /// An empty value makes an operation none. `copies`: the lines outlive the plan.
    mutating func writeLines(_ plan: HeaderEditPlan, _ values: HeaderValues, copies: Bool) -> Bool {
        for index in 0..<plan.lineCount {
            let edit = plan.lines[index]
            let before = count
            guard write(edit, edit.program == nil ? nil : values.value(at: index), copies: copies) else { return false }
            // Values are read before anything is set, so what they told of may go now.
            if index < Int(plan.setCount), count > before { remove(edit.header, before: before) }
        }
        return true
    }

    private mutating func write(_ edit: HeaderEdit, _ value: UnsafeRawBufferPointer?, copies: Bool) -> Bool {
        let nameLength = Int(edit.header.length)
        guard let value else {
            return writeConstant(edit, nameLength, copies: copies)
        }
        guard let source = value.baseAddress, value.count > 0 else { return true }
        let room = reserve(nameLength + 2 + value.count)
        memcpy(room, edit.header.name, nameLength + 2)
        memcpy(room + nameLength + 2, source, value.count)
        return append(
            edit.header.token, name: room, nameLength: nameLength, value: room + nameLength + 2,
            valueLength: value.count)
    }

    private mutating func writeConstant(_ edit: HeaderEdit, _ nameLength: Int, copies: Bool) -> Bool {
        let length = nameLength + 2 + Int(edit.valueLength)
        var name = edit.header.name
        if copies {
            let room = reserve(length)
            memcpy(room, name, length)
            name = UnsafePointer(room)
        }
        return append(
            edit.header.token, name: name, nameLength: nameLength, value: name + nameLength + 2,
            valueLength: Int(edit.valueLength))
    }

    private mutating func remove(_ name: LogHeaderName, before end: Int) {
        for index in 0..<end where name.matches(fields[index]) { fields[index].removed = true }
    }
}

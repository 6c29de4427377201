/// Spellings of field names.
enum FieldName {
    /// `per_try_timeout` as `perTryTimeout`: the proto JSON rules accept both.
    static func camelCase(_ name: String) -> String {
        guard name.utf8.contains(UInt8(ascii: "_")), name.utf8.first != UInt8(ascii: "_") else { return name }
        var result = ""
        var raise = false
        for character in name {
            if character == "_" {
                raise = true
                continue
            }
            result += raise ? character.uppercased() : String(character)
            raise = false
        }
        return result
    }

    /// The known name at most two typing slips away, if any.
    static func nearest(to name: String, among known: [String]) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(64))
        var best: (name: String, distance: Int)?
        for candidate in known {
            let distance = distance(wanted, Array(candidate.lowercased().utf8))
            guard distance <= 2, distance < candidate.utf8.count / 2, distance < best?.distance ?? .max else {
                continue
            }
            best = (candidate, distance)
        }
        return best?.name
    }

    /// Levenshtein distance.
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var row = Array(0...other.count)
        for (index, byte) in one.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in other.indices {
                let replaced = diagonal + (byte == other[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[other.count]
    }
}

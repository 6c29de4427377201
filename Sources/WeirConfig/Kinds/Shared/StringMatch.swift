/// Istio `StringMatch`: exactly one way of comparing, or none (`{}` = present).
package enum StringMatch: Sendable, Hashable {
    case exact(String)
    case prefix(String)
    /// RE2 syntax; the whole value must match.
    case regex(String)
    /// `{}`: the header or parameter only has to be there.
    case present
}

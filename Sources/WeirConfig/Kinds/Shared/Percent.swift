/// Istio `Percent`: a share of 100.
package struct Percent: Sendable, Hashable {
    /// As written: 50 is a half.
    package var value: Double

    package init(_ value: Double) { self.value = value }

    /// Parts of a million, cut as Istio cuts them: 0.00019 % is one part.
    package var millionths: Int { Int(min(max(value, 0), 100) * 10_000) }
}

/// A reference that is not counted: the object's owner keeps it alive for as long as this is used.
///
/// Loading a strong or `unowned(unsafe)` field costs an atomic increment and decrement; this costs neither. Whoever stores
/// one says in a comment who the owner is and when the field is cleared.
struct Borrowed<Object: AnyObject> {
    private let reference: Unmanaged<Object>

    init(_ object: Object) { reference = Unmanaged.passUnretained(object) }

    /// Runs `body` with the object, which must not be freed before it returns.
    @inline(__always)  // as a call, the closure would be built and the object retained for it
    func with<Result>(_ body: (Object) -> Result) -> Result { reference._withUnsafeGuaranteedRef(body) }

    /// A counted reference, for cold paths.
    var object: Object { reference.takeUnretainedValue() }
}

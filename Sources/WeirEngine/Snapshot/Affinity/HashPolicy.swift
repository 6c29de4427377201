/// What of a request decides where it goes among a cluster's endpoints (Istio: the key of `consistentHash`).
package enum HashPolicy: Sendable, Hashable {
    /// Lower-case name; all lines of the header count, in whatever order they come.
    case header(String)
    /// The first parameter of this name, undecoded.
    case query(String)
    /// The client's address without its port.
    case sourceAddress
    case cookie(Cookie)

    package struct Cookie: Sendable, Hashable {
        package var name: String
        /// `nil`: a client without the cookie is given none; 0: one for its session.
        package var maxAgeSeconds: Int?
        /// Empty: the client takes the request's.
        package var path: String
        package var attributes: [Attribute]

        package init(name: String, maxAgeSeconds: Int? = nil, path: String = "", attributes: [Attribute] = []) {
            self.name = name
            self.maxAgeSeconds = maxAgeSeconds
            self.path = path
            self.attributes = attributes
        }
    }

    package struct Attribute: Sendable, Hashable {
        package var name: String
        /// Empty: the name stands alone, as `Secure` does.
        package var value: String

        package init(name: String, value: String = "") {
            self.name = name
            self.value = value
        }
    }
}

extension HashPolicy: CustomStringConvertible {
    /// For dumps: `header x-user`, `cookie sid (made, 600 s)`.
    package var description: String {
        switch self {
        case .header(let name): return "header \(name)"
        case .query(let name): return "query \(name)"
        case .sourceAddress: return "source address"
        case .cookie(let cookie):
            guard let seconds = cookie.maxAgeSeconds else { return "cookie \(cookie.name)" }
            return "cookie \(cookie.name) (made, \(seconds == 0 ? "for the session" : "\(seconds) s"))"
        }
    }
}

extension HashPolicy.Cookie {
    /// What stands behind the value in `Set-Cookie`.
    var suffix: String {
        var text = ""
        if let maxAgeSeconds, maxAgeSeconds > 0 { text += "; Max-Age=\(maxAgeSeconds)" }
        if !path.isEmpty { text += "; Path=\(path)" }
        for attribute in attributes {
            text += attribute.value.isEmpty ? "; \(attribute.name)" : "; \(attribute.name)=\(attribute.value)"
        }
        return text + "; HttpOnly"
    }
}

/// A `HashPolicy` on the hot path.
///
/// Trivial; borrows from the `HashPolicyTable` around it.
struct HashPolicyPlan {
    enum Subject: UInt8 {
        case header
        case authority
        case method
        case scheme
        /// Path and query.
        case target
        case query
        case sourceAddress
        case cookie
    }

    let subject: Subject
    /// A client without the cookie is given one.
    let makesCookie: Bool
    /// Of header, parameter or cookie.
    let name: UnsafeRawBufferPointer
    /// `HashPolicy.Cookie.suffix`.
    let suffix: UnsafeRawBufferPointer
}

/// The policies of one route, in order; trivial, borrowed from the host's plan.
typealias HashPolicies = UnsafeBufferPointer<HashPolicyPlan>

/// The hash policies of a virtual host's routes, flat.
///
/// Immutable after init.
struct HashPolicyTable: ~Copyable {
    /// Policies of a route that count; Istio attaches one for each destination.
    static let maxPerRoute = 32

    private let plans: UnsafePointer<HashPolicyPlan>
    private let lists: UnsafePointer<HashPolicies>
    private let arena: UnsafePointer<UInt8>

    /// One entry a route that has policies.
    init(_ routes: [[HashPolicy]]) {
        let routes = routes.map { $0.prefix(Self.maxPerRoute) }
        var bytes: [UInt8] = []
        var drafts: [(subject: HashPolicyPlan.Subject, makes: Bool, name: Range<Int>, suffix: Range<Int>)] = []
        func store(_ text: String) -> Range<Int> {
            let start = bytes.count
            bytes.append(contentsOf: text.utf8)
            return start..<bytes.count
        }
        for policy in routes.joined() {
            let parts = Self.parts(policy)
            drafts.append((parts.subject, parts.makesCookie, store(parts.name), store(parts.suffix)))
        }
        let arena = UnsafeMutablePointer<UInt8>.copy(of: bytes)
        func stored(_ range: Range<Int>) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: arena + range.lowerBound, count: range.count)
        }
        let plans = UnsafeMutablePointer<HashPolicyPlan>.copy(
            of: drafts.map {
                HashPolicyPlan(
                    subject: $0.subject, makesCookie: $0.makes, name: stored($0.name), suffix: stored($0.suffix))
            })
        var first = 0
        lists = UnsafePointer(
            UnsafeMutablePointer.copy(
                of: routes.map { route in
                    defer { first += route.count }
                    return HashPolicies(start: plans + first, count: route.count)
                }))
        self.plans = UnsafePointer(plans)
        self.arena = UnsafePointer(arena)
    }

    deinit {
        UnsafeMutablePointer(mutating: plans).deallocate()
        UnsafeMutablePointer(mutating: lists).deallocate()
        UnsafeMutablePointer(mutating: arena).deallocate()
    }

    /// The policies of the route that was given this number; valid while the table lives.
    subscript(number: Int32) -> HashPolicies { lists[Int(number)] }

    private static func parts(
        _ policy: HashPolicy
    ) -> (subject: HashPolicyPlan.Subject, makesCookie: Bool, name: String, suffix: String) {
        switch policy {
        case .header(":authority"), .header("host"): (.authority, false, "", "")
        case .header(":method"): (.method, false, "", "")
        case .header(":scheme"): (.scheme, false, "", "")
        case .header(":path"): (.target, false, "", "")
        case .header(let name): (.header, false, name, "")
        case .query(let name): (.query, false, name, "")
        case .sourceAddress: (.sourceAddress, false, "", "")
        case .cookie(let cookie): (.cookie, cookie.maxAgeSeconds != nil, cookie.name, cookie.suffix)
        }
    }
}

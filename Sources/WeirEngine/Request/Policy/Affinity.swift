import Glibc

/// Where one request belongs, as the hash policies of its route say, and the cookies that bring its client back there.
///
/// Trivial. Borrows from the host's plan, which the exchange pins until the answer's head is out.
struct Affinity {
    private var policies = HashPolicies(start: nil, count: 0)
    private var isEvaluated = false
    /// One of the policies found what it looks at.
    private var hasHash = false
    private var hash: UInt64 = 0
    /// By number of the policy, whose cookie the client lacks.
    private var missingCookies: UInt32 = 0
    /// What these cookies say.
    private var cookieValue: UInt64 = 0

    /// The policies of the route just chosen; forgets the request before.
    mutating func begin(_ policies: HashPolicies) {
        self.policies = policies
        isEvaluated = false
        missingCookies = 0
    }

    /// What decides where this attempt goes: the same for every attempt of a request that has what a policy looks at, else
    /// random, anew each time.
    ///
    /// `head` is read as it goes upstream.
    mutating func key(
        _ head: RequestHead, _ stream: Borrowed<ServerStream>, _ random: inout FastRandom
    ) -> UInt64 {
        if !isEvaluated { evaluate(head, stream) }
        return hasHash ? hash : random.next()
    }

    private mutating func evaluate(_ head: RequestHead, _ stream: Borrowed<ServerStream>) {
        isEvaluated = true
        hasHash = false
        hash = 0
        for (number, policy) in policies.enumerated() {
            var found = policy.hash(head, stream.downstream)
            if found == nil, policy.makesCookie {
                if missingCookies == 0 { cookieValue = Self.value(for: stream) }
                missingCookies |= 1 << UInt32(number)
                found = Self.hash(ofCookie: cookieValue)
            }
            guard let found else { continue }
            // Turning the older ones keeps two equal ones from cancelling out.
            hash = (hasHash ? hash &<< 1 | hash &>> 63 : 0) ^ found
            hasHash = true
        }
    }

    // MARK: Cookies

    /// Digits of a cookie's value.
    private static let valueLength = 16

    /// Gives the client the cookies it lacks, on the final answer of an endpoint; must not be called twice.
    func addCookies(to head: ResponseHead) {
        guard missingCookies != 0 else { return }
        for (number, policy) in policies.enumerated() where missingCookies & 1 << UInt32(number) != 0 {
            let length = policy.name.count + 2 + Self.valueLength + 1 + policy.suffix.count
            let text = head.block.reserve(length)
            var end = text
            func add(_ bytes: UnsafeRawBufferPointer) {
                guard let start = bytes.baseAddress else { return }
                memcpy(end, start, bytes.count)
                end += bytes.count
            }
            add(policy.name)
            end[0] = UInt8(ascii: "=")
            end[1] = UInt8(ascii: "\"")
            Self.write(cookieValue, into: end + 2)
            end += 2 + Self.valueLength
            end[0] = UInt8(ascii: "\"")
            end += 1
            add(policy.suffix)
            head.block.append(.other, "set-cookie", text, length)
        }
    }

    /// The value for a client's connection: the hash of the addresses of both its ends, so that requests on it that race all get
    /// the same.
    private static func value(for stream: Borrowed<ServerStream>) -> UInt64 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * LogAddressText.maxBytes) { room in
            var count = 0
            func add(_ address: LogAddress?) {
                guard let text = address?.whole else { return }
                memcpy(room.baseAddress! + count, text.start, text.count)
                count += text.count
            }
            let ends = stream.addresses
            add(ends.client)
            add(ends.own)
            return XXHash64.hash(UnsafeRawBufferPointer(start: room.baseAddress, count: count))
        }
    }

    private static func hash(ofCookie value: UInt64) -> UInt64 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: valueLength) { room in
            write(value, into: room.baseAddress!)
            return XXHash64.hash(UnsafeRawBufferPointer(room))
        }
    }

    private static func write(_ value: UInt64, into out: UnsafeMutablePointer<UInt8>) {
        for digit in 0..<valueLength {
            out[digit] = ASCII.hexDigit(UInt8(truncatingIfNeeded: value &>> UInt64(60 - 4 * digit)) & 0xf)
        }
    }
}

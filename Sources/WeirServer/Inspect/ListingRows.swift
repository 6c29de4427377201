/// One route in the order requests are tried on it: a row of `/routes`.
struct RouteRow: Codable, Hashable {
    struct Destination: Codable, Hashable {
        var cluster: String
        /// As written; the share is this of the sum over the route's destinations.
        var weight: Int
        /// There is no such cluster: requests get a 503.
        var missing: Bool?
        /// What is done with its requests besides, a text a thing.
        var policies: [String]?
    }

    struct Place: Codable, Hashable {
        var order: Int
        var resource: String
        var file: String
        var line: Int
    }

    /// Of the route table: `http.<port>` as Istio names a Gateway's, `mesh.<port>` where services are found by name.
    var name: String
    var port: Int
    /// Where the listener is bound, if the Gateway says.
    var bind: String?
    /// `<domain>:<port>`; `<full name>:*` for a service that is found whatever port its callers name.
    var virtualHost: String
    /// With a port where only requests that name it are meant.
    var domains: [String]
    /// Place within the virtual host, from 1.
    var order: Int
    /// In short, as tables show it: `/get*`.
    var match: String
    /// One text a condition.
    var conditions: [String]
    /// Istio's route name, if there is one.
    var routeName: String?
    /// `Kind namespace/name`; empty, as `file`, for a service that no VirtualService speaks of.
    var resource: String
    /// The resource that delegates to this one, where that is so.
    var root: String?
    var file: String
    var line: Int
    var destinations: [Destination]
    /// What else the route does with requests, a text a thing.
    var policies: [String]?
    /// The earlier route that takes every request this one could take.
    var shadowedBy: Place?
}

/// One cluster: a row of `/clusters`.
struct ClusterRow: Codable, Hashable {
    /// What all workers together use of something there is a limit for.
    struct Limit: Codable, Hashable {
        /// `connections`, `pending_requests`, `requests` or `retries`.
        var of: String
        var limit: Int
        var used: Int
        /// Times it was met.
        var overflows: Int
    }

    /// `outbound|<port>|<subset>|<fqdn>`.
    var name: String
    var fqdn: String
    var port: Int
    var subset: String?
    var direction: String
    /// How its endpoints are found, in Envoy's words: EDS, STRICT_DNS, LOGICAL_DNS, ORIGINAL_DST.
    var type: String
    /// `name.namespace` of the DestinationRule in force.
    var destinationRule: String?
    var balancer: String
    var endpoints: Int
    var connectTimeoutMilliseconds: Int
    var idleTimeoutMilliseconds: Int
    /// Absent without any.
    var limits: [Limit]?
}

/// One endpoint of a cluster: a row of `/endpoints`.
struct EndpointRow: Codable, Hashable {
    /// `ip:port` or the path of a unix socket.
    var endpoint: String
    /// HEALTHY, DRAINING or UNHEALTHY.
    var status: String
    /// OK, or FAILED while outlier detection has taken it out.
    var outlierCheck: String
    var cluster: String
    var weight: Int
    /// Over all workers, at the moment each was asked.
    var activeRequests: Int
    var connections: Int
    var idleConnections: Int
    /// 0 = it is used first.
    var priority: Int?
    /// `region/zone/subzone`, where that is known.
    var locality: String?
    /// Times it was taken out, where failures are looked at.
    var ejections: Int?
}

/// One listener: a row of `/listeners`.
struct ListenerRow: Codable, Hashable {
    /// Where it listens; `*` = every address, IPv4 and IPv6.
    var address: String
    /// As the Gateway declares it.
    var port: Int
    var localPort: Int
    /// Which connections: `ALL`, or `SNI:` and the names they ask for.
    var match: String
    /// `Route: <name of the route table>`, as in `/routes`, or `Cluster: <names>`.
    var destination: String
    var virtualHosts: Int
    var listening: Bool
    /// Why it does not listen.
    var problem: String?
    /// Why no connection can be opened to this server of a port that speaks TLS.
    var tlsProblem: String?
}

/// One certificate chain, CA or list of revoked certificates that a server names: a row of `/secrets`.
///
/// Keys are in none of it.
struct SecretRow: Codable, Hashable {
    struct Certificate: Codable, Hashable {
        var subject: String
        var issuer: String
        var names: [String]
        /// In hexadecimal digits.
        var serialNumber: String
        /// RFC 3339, in UTC.
        var notBefore: String
        var notAfter: String
        /// SHA-256 of the certificate, in hexadecimal digits.
        var fingerprint: String
        /// Such as `RSA 2048`.
        var keyType: String
    }

    /// `namespace/name` of a Secret, or a file's path.
    var name: String
    /// `Cert Chain` or `CA`.
    var type: String
    /// ACTIVE, MISSING or BROKEN.
    var status: String
    /// What is wrong.
    var problem: String?
    /// Now: the present edition, or the last good one.
    var inUse: Bool
    /// The certificate in use is within its dates.
    var valid: Bool
    var certificates: [Certificate]
    /// The servers that name it.
    var usedBy: [String]
}

/// What the answers of the listings hold; `Row` under the listing's name.
struct ListingDocument<Row: Codable>: Decodable {
    /// The configuration listed.
    let generation: UInt64
    let rows: [Row]

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        generation = try values.decode(UInt64.self, forKey: Key(stringValue: "generation"))
        guard let key = values.allKeys.first(where: { $0.stringValue != "generation" }) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: [], debugDescription: "a listing without rows"))
        }
        rows = try values.decode([Row].self, forKey: key)
    }
}

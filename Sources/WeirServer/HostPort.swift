import Glibc

/// A numeric address and a port, as options take them: `127.0.0.1:15000`, `[::1]:15000`, `localhost:15000`.
package struct HostPort: Sendable, Hashable, CustomStringConvertible {
    /// Without brackets.
    package var host: String
    /// 0 to 65535; 0 picks one when listened on.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `HOST:PORT`.
    package init(_ text: String) throws(OptionError) {
        let problem = OptionError(
            "'\(text)' is no address. Write HOST:PORT with a numeric host, such as 127.0.0.1:15000.")
        guard let colon = text.lastIndex(of: ":") else { throw problem }
        let digits = text[text.index(after: colon)...]
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw problem
        }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = Int(digits),
            port <= 65535
        else { throw problem }
        guard host == "localhost" || Self.isNumeric(host) else { throw problem }
        self.init(host: host, port: port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Where to connect: a server that listens on every address is reached over the loopback.
    var reachable: HostPort {
        switch host {
        case "0.0.0.0", "localhost": HostPort(host: "127.0.0.1", port: port)
        case "::": HostPort(host: "::1", port: port)
        default: self
        }
    }

    /// Whether it is an IPv4 or IPv6 address, not a name.
    package static func isNumeric(_ host: String) -> Bool {
        var room = in6_addr()
        return inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1
    }
}

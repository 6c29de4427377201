package import Logging
package import WeirEngine
package import WeirSources

/// What `weir serve` was told on the command line.
package struct ServerOptions: Sendable {
    /// Files and directories, in the order given.
    package var configPaths: [String]
    /// Where the admin server listens; port 0 picks one.
    package var admin = HostPort(host: "127.0.0.1", port: 15000)
    /// Where the health server listens; `nil` = none.
    package var health: HostPort? = HostPort(host: "0.0.0.0", port: 15021)
    /// Where the metrics are served; `nil` = on the admin server alone, port 0 picks one.
    package var metrics: HostPort? = HostPort(host: "0.0.0.0", port: 15090)
    /// Who the gateway is in its metrics.
    package var source = SourceLabels()
    /// How names of endpoints are looked up.
    package var names = NameResolverOptions()
    /// Worker threads; at least 1.
    package var workers = WorkerCount.detected()
    /// Gateway port to the port really listened on.
    package var portMap: [Int: Int] = [:]
    /// Address listened on where a server names none; `nil` = all, IPv4 and IPv6.
    package var bind: String?
    /// Seconds accepting goes on after SIGTERM while readiness already fails.
    package var drainDelaySeconds = 0.0
    /// Seconds after the delay until what is left is cut off.
    package var drainSeconds = 20.0
    /// The `server` response header; `nil` passes the upstream's on.
    package var serverName: String? = "weir"
    /// HTTP/1.0 requests are served instead of answered 426.
    package var acceptsHTTP10 = false
    /// Proxies in front of the gateway that are trusted to name the client in `x-forwarded-for`.
    package var trustedHops = 0
    /// The host of a mirrored request ends in `-shadow`, as with Istio up to 1.27.
    package var mirrorShadowSuffix = false
    /// Who the gateway is to the resources.
    package var binding = BindingOptions()
    package var logLevel = Logger.Level.info
    /// Where a line for each request goes; `nil` = nowhere.
    package var accessLog: AccessLogTarget?
    /// What such a line looks like; `nil` = Istio's text.
    package var accessLogFormat: AccessLogFormat?
    /// Path at which sockets are taken over from the process that serves, and handed to the next; `nil` = neither.
    package var takeoverPath: String?
    /// SIGTERM, SIGINT and SIGHUP act on the server.
    ///
    /// Off where a process runs several.
    package var takesSignals = true

    package init(configPaths: [String]) { self.configPaths = configPaths }
}

/// An option's value that cannot be used; the text says how to write it.
package struct OptionError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Values of options, read from the text the operator typed.
package enum OptionValue {
    /// `80=8080` and the like; each Gateway port at most once.
    package static func portMap(_ texts: [String]) throws(OptionError) -> [Int: Int] {
        var map: [Int: Int] = [:]
        for text in texts {
            let sides = text.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, let declared = port(sides[0]), let local = port(sides[1]) else {
                throw OptionError("'\(text)' is no port mapping. Write GATEWAYPORT=LOCALPORT, such as 80=8080.")
            }
            guard map.updateValue(local, forKey: declared) == nil else {
                throw OptionError("Gateway port \(declared) is mapped twice.")
            }
        }
        return map
    }

    /// A `server` header: visible ASCII; `pass` means the upstream's own.
    package static func serverName(_ text: String) throws(OptionError) -> String? {
        if text == "pass" { return nil }
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), !text.hasPrefix(" "),
            !text.hasSuffix(" ")
        else { throw OptionError("'\(text)' cannot stand in a header. Use visible ASCII characters, or pass.") }
        return text
    }

    /// `HOST:PORT`, or `nil` for `off`.
    package static func addressOrOff(_ text: String) throws(OptionError) -> HostPort? {
        text == "off" ? nil : try HostPort(text)
    }

    /// `text`, `json`, or a format of one's own.
    package static func accessLogFormat(_ text: String) throws(OptionError) -> AccessLogFormat {
        do throws(AccessLogFormatError) {
            return try AccessLogFormat(text)
        } catch {
            throw OptionError(error.description)
        }
    }

    /// A number of proxies.
    package static func trustedHops(_ number: Int) throws(OptionError) -> Int {
        guard (0...TrustedHops.most).contains(number) else {
            throw OptionError("'\(number)' is no number of proxies. Write --trusted-hops 0 to \(TrustedHops.most).")
        }
        return number
    }

    /// The path of a unix socket.
    package static func takeoverPath(_ text: String) throws(OptionError) -> String {
        guard !text.isEmpty, text.utf8.count <= TakeoverPath.maxBytes, !text.utf8.contains(0) else {
            throw OptionError(
                "'\(text)' cannot be the path of a socket. Write --takeover with 1 to \(TakeoverPath.maxBytes) bytes.")
        }
        return text
    }

    /// A level of swift-log by its name.
    package static func logLevel(_ text: String) throws(OptionError) -> Logger.Level {
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw OptionError("'\(text)' is no log level. Use one of \(names).")
        }
        return level
    }

    /// 1 to 65535, digits only.
    private static func port(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(text) else { return nil }
        return (1...65535).contains(number) ? number : nil
    }
}

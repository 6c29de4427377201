import Glibc

/// The demo's YAML, as files of a directory of its own.
struct DemoConfiguration {
    /// What could not be written.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let directory: String
    /// Name and text, in reading order.
    let files: [(name: String, text: String)]

    /// Writes the files below `$TMPDIR` or `/tmp`.
    init(port: Int, backendPorts: [Int]) throws(Failure) {
        files = Self.files(port: port, backendPorts: backendPorts)
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/weir-demo.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Failure(description: "no directory in \(parent): \(String(cString: strerror(errno)))")
        }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do throws(Failure) {
            for file in files { try Self.write(file.text, to: directory + "/" + file.name) }
        } catch {
            remove()
            throw error
        }
    }

    /// Deletes the directory and what is in it.
    func remove() {
        // Editors leave copies behind; everything in our own directory goes.
        if let stream = opendir(directory) {
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { unlink(directory + "/" + name) }
            }
            closedir(stream)
        }
        rmdir(directory)
    }

    private static func write(_ text: String, to path: String) throws(Failure) {
        let bytes = Array(text.utf8)
        guard let file = fopen(path, "we") else {
            throw Failure(description: "\(path): \(String(cString: strerror(errno)))")
        }
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else {
            throw Failure(description: "\(path): \(String(cString: strerror(errno)))")
        }
    }

    static func files(port: Int, backendPorts: [Int]) -> [(name: String, text: String)] {
        [
            ("1-gateway.yaml", gateway(port: port)), ("2-virtual-service.yaml", virtualService),
            ("3-destination-rule.yaml", destinationRule), ("4-service-entry.yaml", serviceEntry(backendPorts)),
        ]
    }

    private static func gateway(port: Int) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata:
          name: bookinfo-gateway
        spec:
          selector:
            istio: ingressgateway
          servers:
          - port:
              number: \(port)
              name: http
              protocol: HTTP
            hosts:
            - "*"

        """
    }

    private static var virtualService: String {
        let split = ReviewsVersion.all.filter { $0.weight > 0 }.map {
            """
                - destination:
                    host: reviews
                    subset: \($0.name)
                  weight: \($0.weight)

            """
        }
        return """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata:
              name: reviews
            spec:
              hosts:
              - "*"
              gateways:
              - bookinfo-gateway
              http:
              - match:
                - uri:
                    prefix: /reviews
                route:

            """ + split.joined()
    }

    private static var destinationRule: String {
        let subsets = ReviewsVersion.all.map {
            """
              - name: \($0.name)
                labels:
                  version: \($0.name)

            """
        }
        return """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata:
              name: reviews
            spec:
              host: reviews
              subsets:

            """ + subsets.joined()
    }

    /// Stands in for the Service and the Pods of a cluster.
    private static func serviceEntry(_ ports: [Int]) -> String {
        let endpoints = zip(ReviewsVersion.all, ports).map { version, port in
            """
              - address: 127.0.0.1
                ports:
                  http: \(port)
                labels:
                  version: \(version.name)

            """
        }
        return """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata:
              name: reviews
            spec:
              hosts:
              - reviews.default.svc.cluster.local
              ports:
              - number: 9080
                name: http
                protocol: HTTP
              resolution: STATIC
              endpoints:

            """ + endpoints.joined()
    }
}

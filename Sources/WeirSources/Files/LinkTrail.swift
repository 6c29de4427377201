import Glibc

/// The way from a path to what it names: every link on it, and the end.
///
/// When one of these places changes, so may the file.
///
/// A file of a mounted ConfigMap is `/etc/weir/a.yaml -> ..data/a.yaml`, and `..data` is a link that is replaced.
struct LinkTrail: Equatable {
    /// More links than the kernel follows (Linux: 40) make a loop.
    private static let linkLimit = 40

    /// Absolute paths, the links in the order they are followed, then the end.
    ///
    /// No directory part of them is a link.
    private(set) var places: [String] = []

    /// What the path really names; it need not exist.
    var end: String { places.last ?? "/" }

    /// Follows `path`, relative to the working directory unless absolute.
    ///
    /// Costs a system call for each component.
    init(following path: String) {
        var pending = Self.components(Self.absolute(path))
        var resolved = ""
        var links = 0
        while let component = pending.popLast() {
            if component == ".." {
                resolved = Self.directory(of: resolved)
                if resolved == "/" { resolved = "" }
                continue
            }
            let place = resolved + "/" + component
            if links < Self.linkLimit, let target = Self.target(of: place) {
                links += 1
                places.append(place)
                if target.hasPrefix("/") { resolved = "" }
                pending += Self.components(target)
            } else {
                resolved = place
            }
        }
        places.append(resolved.isEmpty ? "/" : resolved)
    }

    /// A place that is known to be no link.
    init(plain place: String) { places = [place] }

    /// The directory a place is in; `/` for the root itself.
    static func directory(of place: String) -> String {
        guard let slash = place.lastIndex(of: "/"), slash != place.startIndex else { return "/" }
        return String(place[..<slash])
    }

    /// The last component.
    static func name(of place: String) -> String {
        guard let slash = place.lastIndex(of: "/") else { return place }
        return String(place[place.index(after: slash)...])
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let buffer = getcwd(nil, 0) else { return path }
        defer { free(buffer) }
        return String(cString: buffer) + "/" + path
    }

    /// Last one first.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.map(String.init).reversed()
    }

    private static func target(of place: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            let length = readlink(place, buffer.baseAddress!, buffer.count)
            guard length > 0 else { return nil }
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<length]), as: UTF8.self)
        }
    }
}

import Glibc

/// How many descriptors the process may have.
enum DescriptorLimit {
    /// Raises the limit as far as it may be raised; returns what it is then.
    ///
    /// The soft limit is small for the sake of programs that use select, which this one does not.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if limit.rlim_cur < limit.rlim_max, setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 {
            limit = raised
        }
        return Int(clamping: limit.rlim_cur)
    }
}

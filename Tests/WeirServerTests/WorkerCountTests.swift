import Testing

@testable import WeirServer

/// CPU limits as the kernel writes them, no kernel involved.
@Suite struct WorkerCountTests {
    /// A cgroup file system of the test's own.
    private func limit(_ memberships: String, _ files: [String: String]) -> Double? {
        WorkerCount.cgroupLimit(memberships: memberships) { files[$0] }
    }

    @Test(
        arguments: [
            ("200000 100000\n", 2.0), ("150000 100000", 1.5), ("10000 100000\n", 0.1), ("max 100000\n", nil), ("", nil),
            ("x y", nil),
            ("-1 100000", nil), ("100000 0", nil),
        ] as [(String, Double?)])
    func readsTheQuotaOfVersion2(text: String, limit: Double?) {
        #expect(WorkerCount.limit(cpuMax: text) == limit)
    }

    @Test func aContainerSeesItsLimitAtTheRoot() {
        #expect(limit("0::/\n", ["/sys/fs/cgroup/cpu.max": "300000 100000\n"]) == 3)
    }

    @Test func theTightestOfTheGroupsAboveCounts() {
        let files = [
            "/sys/fs/cgroup/pods/cpu.max": "100000 100000\n", "/sys/fs/cgroup/pods/one/cpu.max": "400000 100000\n",
            "/sys/fs/cgroup/pods/one/two/cpu.max": "max 100000\n",
        ]
        #expect(limit("0::/pods/one/two\n", files) == 1)
    }

    @Test func readsTheQuotaOfVersion1() {
        let memberships = "12:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n"
        let base = "/sys/fs/cgroup/cpu,cpuacct/docker/x/"
        #expect(
            limit(memberships, [base + "cpu.cfs_quota_us": "250000\n", base + "cpu.cfs_period_us": "100000\n"]) == 2.5)
        #expect(limit(memberships, [base + "cpu.cfs_quota_us": "-1\n", base + "cpu.cfs_period_us": "100000\n"]) == nil)
        // In the container's own view the group is the root of the mount.
        let root = "/sys/fs/cgroup/cpu,cpuacct/"
        #expect(limit(memberships, [root + "cpu.cfs_quota_us": "50000", root + "cpu.cfs_period_us": "100000"]) == 0.5)
    }

    @Test func noGroupIsNoLimit() {
        #expect(limit("", [:]) == nil)
        #expect(limit("0::/\n", [:]) == nil)
        #expect(limit("nonsense\n1:cpuset:/\n", [:]) == nil)
    }

    @Test func countsTheCPUsOfTheAffinityMask() {
        #expect(WorkerCount.allowedCPUs(status: "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n") == 8)
        #expect(WorkerCount.allowedCPUs(status: "Cpus_allowed:\t00000001,80000000,00000003\n") == 4)
        #expect(WorkerCount.allowedCPUs(status: "Name:\tx\n") == nil)
    }

    @Test func hereThereIsAtLeastOne() { #expect(WorkerCount.detected() >= 1) }
}

import Testing

@testable import WeirEngine

@Suite struct DestinationNamesTests {
    private func workload(_ name: String, hasSidecar: Bool = false) -> WorkloadLabels {
        var labels = WorkloadLabels()
        labels.workload = name
        labels.hasSidecar = hasSidecar
        return labels
    }

    @Test func numbersAreKeptAndNeverShared() {
        let names = DestinationNames()
        #expect(names.number(of: WorkloadLabels()) == 0)
        let a = names.number(of: workload("a"))
        let b = names.number(of: workload("b"))
        #expect(a != b && names.number(of: workload("a")) == a)
        let tables = names.tables
        #expect(tables.workloads[Int(b)].workload == "b")
    }

    @Test func aSidecarChangesTheNumberButNotTheLabels() {
        let names = DestinationNames()
        let meshed = names.number(of: workload("a", hasSidecar: true))
        let plain = names.number(of: workload("a"))
        #expect(meshed != plain)
        let tables = names.tables
        #expect(tables.labelsOfWorkload[Int(meshed)] == meshed && tables.labelsOfWorkload[Int(plain)] == meshed)
    }

    @Test func clustersShareTheirService() {
        let names = DestinationNames()
        names.cluster(7, belongsTo: ServiceLabels(host: "h", name: "h", namespace: "one"))
        names.cluster(2, belongsTo: ServiceLabels(host: "h", name: "h", namespace: "two"))
        let tables = names.tables
        #expect(tables.service(cluster: 7) == tables.service(cluster: 2))
        #expect(tables.services[tables.service(cluster: 7)].namespace == "two")
        #expect(tables.service(cluster: 3) == 0 && tables.service(cluster: 99) == 0)
        #expect(tables.services[0].host.isEmpty)
    }

    @Test func workloadsAreBounded() {
        let names = DestinationNames()
        for number in 1..<MetricKey.workloadLimit { _ = names.number(of: workload("\(number)")) }
        #expect(names.number(of: workload("one too many")) == 0)
        #expect(names.number(of: workload("1")) == 1)
    }
}

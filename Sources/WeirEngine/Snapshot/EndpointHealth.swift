/// What outlier detection knows of one endpoint at this moment.
package struct EndpointHealth: Sendable, Hashable {
    /// It is out: it gets no requests, unless too many are.
    package var isEjected = false
    /// Times it was taken out since it is one of the cluster's, by what there were too many of in a row.
    package var serverErrorEjections = 0
    package var gatewayErrorEjections = 0
    package var localFailureEjections = 0

    package init() {}

    package var ejections: Int { serverErrorEjections + gatewayErrorEjections + localFailureEjections }

    init(_ cell: HealthCell) {
        isEjected = cell.isEjected
        serverErrorEjections = Int(cell.ejections(.serverErrors))
        gatewayErrorEjections = Int(cell.ejections(.gatewayErrors))
        localFailureEjections = Int(cell.ejections(.localFailures))
    }
}

extension ClusterPlan {
    /// Of the endpoint at a place in `describe().endpoints`; `nil` where failures are not looked at.
    ///
    /// Any thread.
    package func endpointHealth(at index: Int) -> EndpointHealth? {
        outlier == nil || !cells.indices.contains(index) ? nil : EndpointHealth(cells[index])
    }
}

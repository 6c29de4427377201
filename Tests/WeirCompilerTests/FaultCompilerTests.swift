import Testing
import WeirConfig
import WeirEngine

@testable import WeirCompiler

/// `fault` of a route (semantics 3.12).
@Suite struct FaultCompilerTests {
    private typealias F = Fixture

    private func fault(_ adjust: (inout HTTPFaultInjection) -> Void) throws -> FaultInjection? {
        var fault = HTTPFaultInjection()
        adjust(&fault)
        var rule = F.rule(to: "alpha")
        rule.fault = fault
        let result = Compiler.make().compile([F.entry("alpha"), F.gateway(), F.virtualService([rule])])
        #expect(result.findings == [])
        return try #require(result.snapshot.listeners.first?.hosts.first?.plan.specs.first).actions?.fault
    }

    private func delay(_ milliseconds: Int?, _ percentage: Percent?) -> HTTPFaultInjection.Delay {
        var delay = HTTPFaultInjection.Delay()
        (delay.fixedDelayMilliseconds, delay.percentage) = (milliseconds, percentage)
        return delay
    }

    private func abort(_ failure: HTTPFaultInjection.Abort.Failure?, _ percentage: Percent?) -> HTTPFaultInjection.Abort
    {
        var abort = HTTPFaultInjection.Abort()
        (abort.failure, abort.percentage) = (failure, percentage)
        return abort
    }

    @Test func aDelayAndAnAbortAreTheWritten() throws {
        let both = try #require(
            try fault {
                $0.delay = delay(1500, Percent(2.5))
                $0.abort = abort(.httpStatus(418), Percent(100))
            })
        #expect(both.delay == FaultInjection.Delay(milliseconds: 1500, share: RequestShare(millionths: 25_000)))
        #expect(both.abort == FaultInjection.Abort(.status(418), share: .all))
    }

    @Test(arguments: [("OK", 0), ("CANCELLED", 1), ("INTERNAL", 13), ("UNAVAILABLE", 14), ("UNAUTHENTICATED", 16)])
    func aNameOfGRPCIsANumber(_ name: String, _ code: Int) throws {
        #expect(try fault { $0.abort = abort(.grpcStatus(name), Percent(1)) }?.abort?.failure == .grpc(code))
    }

    @Test func withoutAPercentageOrASubstanceNothingHappens() throws {
        #expect(try fault { $0.delay = delay(1000, nil) } == nil)
        #expect(try fault { $0.delay = delay(nil, Percent(100)) } == nil)
        #expect(try fault { $0.delay = delay(1000, Percent(0)) } == nil)
        #expect(try fault { $0.abort = abort(.httpStatus(500), nil) } == nil)
        #expect(try fault { $0.abort = abort(nil, Percent(100)) } == nil)
        let half = try fault {
            $0.delay = delay(1000, nil)
            $0.abort = abort(.httpStatus(500), Percent(50))
        }
        #expect(half?.delay == nil && half?.abort != nil)
    }

    @Test func sharesAreCutToMillionths() throws {
        func share(_ percent: Double) throws -> Int? {
            try fault { $0.abort = abort(.httpStatus(500), Percent(percent)) }?.abort.map { Int($0.share.millionths) }
        }
        #expect(try share(0.0001) == 1 && share(33.33339) == 333_333 && share(100) == 1_000_000)
        #expect(try share(0.00009) == nil)
    }

    @Test func aRouteThatAnswersHasTheFaultItTookFromItsRoot() {
        var fault = HTTPFaultInjection()
        fault.abort = abort(.httpStatus(500), Percent(100))
        var root = F.delegating(to: "leaf")
        root.fault = fault
        var leaf = HTTPRoute()
        leaf.directResponse = HTTPDirectResponse()
        leaf.directResponse?.status = 200
        let result = Compiler.make().compile([F.gateway(), F.virtualService([root]), F.delegate("leaf", [leaf])])
        #expect(
            result.snapshot.describe().listeners[0].hosts[0].routes[0].actions == [
                "abort 100 % with 500", "answer 200 with 0 bytes",
            ])
    }

    @Test func dumpsTellOfIt() throws {
        let texts = RouteActions(
            fault: FaultInjection(
                delay: .init(milliseconds: 5000, share: RequestShare(millionths: 1000)),
                abort: .init(.grpc(14), share: .all))
        ).texts
        #expect(texts == ["delay 0.1 % by 5000ms", "abort 100 % with gRPC status 14"])
    }
}

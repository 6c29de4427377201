import Logging
import Testing

@testable import WeirEngine
@testable import WeirServer

/// Log levels by part, and the admin API's way to them.
@Suite struct LogLevelsTests {
    private let record = LogRecord()
    private let levels = LogLevels(.info)

    private func answer(_ method: String, _ query: String = "") -> LocalAnswerText {
        let settings = LogSettings(levels: levels, log: levels.logger(.admin, writingTo: record.logger))
        return LocalAnswerText(
            settings.answer(LocalRequest(method: method, path: LogSettings.path, query: query, headers: [])))
    }

    private func loggers(_ answer: LocalAnswerText) throws -> [String: String]? {
        (try answer.json() as? [String: Any])?["loggers"] as? [String: String]
    }

    @Test func aPartHasItsOwnLevelAndNamesItself() {
        let config = levels.logger(.config, writingTo: record.logger)
        let server = levels.logger(.server, writingTo: record.logger)
        levels.set([.config: .debug])
        config.debug("one")
        server.debug("two")
        server.info("three")
        #expect(record.take() == ["debug one log=config", "info three log=server"])
    }

    @Test func aCopysOwnLevelBeatsTheParts() {
        var log = levels.logger(.config, writingTo: record.logger)
        log.logLevel = .error
        log.warning("quiet")
        #expect(record.take().isEmpty)
        #expect(levels[.config] == .info)
    }

    @Test func getTellsAllLevels() throws {
        #expect(
            try loggers(answer("GET"))
                == ["access-log": "info", "admin": "info", "config": "info", "server": "info"])
        #expect(answer("HEAD").status == 200)
    }

    @Test(arguments: ["PUT", "POST"])
    func levelsAreChangedTogetherOrOneByOne(method: String) throws {
        #expect(try loggers(answer(method, "level=error"))?.values.allSatisfy { $0 == "error" } == true)
        #expect(try loggers(answer(method, "level=warning&config=Debug"))?["config"] == "debug")
        #expect(levels[.server] == .warning)
        #expect(answer(method, "access-log=trace").status == 200)
        #expect(levels[.accessLog] == .trace)
    }

    @Test(arguments: ["", "config=loud", "worker=info", "level=", "config=debug&sources=info", "level=%zz"])
    func whatIsNotKnownIsRefusedWithTheListAndChangesNothing(query: String) {
        let answer = answer("PUT", query)
        #expect(answer.status == 400)
        #expect(answer.text.contains("access-log, admin, config, server"))
        #expect(answer.text.contains("trace, debug, info, notice, warning, error, critical"))
        #expect(levels[.config] == .info)
    }

    @Test func aChangeIsLogged() {
        _ = answer("PUT", "config=debug")
        #expect(record.take() == ["notice log levels changed levels=config=debug log=admin"])
    }

    @Test func readingChangesNothingAndOtherMethodsAreRefused() {
        _ = answer("GET", "level=debug")
        #expect(levels[.config] == .info)
        #expect(answer("DELETE").status == 405)
    }

    @Test func theCommandLinesFormsMeanTheSame() throws {
        let expected = try LogChange(name: "config", level: "debug")
        #expect(try LogChange.list("config=debug") == [expected])
        #expect(try LogChange.list("config:debug") == [expected])
        #expect(try LogChange.list("info,config=debug").count == 2)
        #expect(throws: OptionError.self) { try LogChange.list("") }
        #expect(throws: OptionError.self) { try LogChange.list("config=") }
        #expect(throws: OptionError.self) { try LogChange.list("debug,") }
    }
}

import Foundation
import Pipevideo
import Testing

/// What a client's logger receives. One after another, since all loggers of a process have one thread,
/// which the slow one holds.
@Suite(.serialized) struct LogTests {
    private let prompt = "a prompt that must stay private"

    /// A client of this emulator, and the records of its log.
    private func logging(
        _ emulator: Emulator, level: LogLevel? = nil
    ) throws -> (PipevideoClient, Collected<LogRecord>) {
        let records = Collected<LogRecord>()
        var configuration = emulator.configuration()
        configuration.logger = PipevideoLogger { records.add($0) }
        configuration.logLevel = level
        return (
            try PipevideoClient(apiKey: emulator.apiKey, configuration: configuration), records
        )
    }

    @Test func aLoggerReceivesWhatHappensInOrder() async throws {
        let emulator = try await Emulator.start(["polls": ["completed"]])
        let (client, records) = try logging(emulator)
        let generation = try await client.generate(
            model: "moonshotai/kimi-k2.5", input: "a prompt that must stay private")
        let found = await records.first(3)
        #expect(found.map(\.event) == ["create", "wait.begun", "wait.ended"])
        let ended = try #require(found.last)
        #expect(ended.level == .info)
        #expect(ended.message == "wait ended")
        #expect(ended.fields["generationId"] == .string(generation.id))
        #expect(ended.fields["status"] == .string("completed"))
        #expect(ended.metadata["status"] == "completed")
        #expect(ended.metadata["polls"] == "1")
        #expect(ended.description.hasPrefix("wait ended generationId=\(generation.id) status="))
        #expect(abs(ended.date.timeIntervalSinceNow) < 60)
        for record in found {
            for secret in [prompt, emulator.apiKey] {
                #expect(!record.description.contains(secret))
            }
        }
    }

    @Test func theLevelIsAnOption() async throws {
        let emulator = try await Emulator.start()
        let (client, records) = try logging(emulator, level: .debug)
        let (silent, none) = try logging(emulator, level: .off)
        _ = try await silent.engines.list()
        _ = try await client.engines.list()
        #expect(await records.first(1).map(\.event) == ["request"])
        #expect(none.count == 0)
        var configuration = emulator.configuration()
        configuration.logLevel = LogLevel(rawValue: "loud")
        #expect(throws: PipevideoError.self) {
            try PipevideoClient(apiKey: emulator.apiKey, configuration: configuration)
        }
    }

    @Test func aSlowLoggerDelaysNoCall() async throws {
        let emulator = try await Emulator.start()
        let (release, records) = (DispatchSemaphore(value: 0), Collected<LogRecord>())
        var configuration = emulator.configuration()
        configuration.logLevel = .debug
        configuration.logger = PipevideoLogger { record in
            release.wait()
            records.add(record)
        }
        let client = try PipevideoClient(apiKey: emulator.apiKey, configuration: configuration)
        for _ in 0..<3 { _ = try await client.engines.list() }
        #expect(records.count == 0)
        for _ in 0..<3 { release.signal() }
        #expect(await records.first(3).count == 3)
    }

    @Test func loggersAreEqualIfTheyAreTheSame() {
        let logger = PipevideoLogger { _ in }
        #expect(logger == logger && logger != PipevideoLogger { _ in })
        var configuration = PipevideoClient.Configuration()
        configuration.logger = logger
        #expect(configuration != PipevideoClient.Configuration())
    }
}

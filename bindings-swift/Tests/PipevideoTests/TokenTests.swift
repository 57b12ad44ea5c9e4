import Foundation
import Pipevideo
import Testing

/// A function in place of a key.
@Suite(.timeLimit(.minutes(1))) struct TokenTests {
    struct NoSession: Error, Equatable {
        let user: Int
    }

    actor Counter {
        var count = 0
        func next() -> Int {
            count += 1
            return count
        }
    }

    @Test func itIsAskedBeforeEachRequest() async throws {
        let emulator = try await Emulator.start()
        let (counter, key) = (Counter(), emulator.apiKey)
        let client = try Pipevideo(
            apiKey: {
                _ = await counter.next()
                return key
            },
            baseURL: emulator.baseURL, rateLimit: nil,
            polling: Polling(minInterval: .zero, maxInterval: .zero)
        )
        let generation = try await client.generate(model: kimi, input: "A cat")
        #expect(generation.status == .completed)
        let requests = try await emulator.requests()
        #expect(requests.count == 4)
        #expect(await counter.count == 4)
        #expect(requests.allSatisfy { $0["headers"]?["authorization"] == "Bearer <key>" })
    }

    @Test func whatItThrowsReachesTheCaller() async throws {
        let emulator = try await Emulator.start()
        let client = try Pipevideo(apiKey: { throw NoSession(user: 7) }, baseURL: emulator.baseURL)
        await #expect(throws: NoSession(user: 7)) {
            try await client.responses.create(model: kimi, input: "A cat")
        }
        await #expect(throws: NoSession(user: 7)) { try await client.usage.retrieve() }
        // These have an id, which the caller had before.
        let responses = client.responses
        let file = FileManager.default.temporaryDirectory.appending(path: "never.mp4")
        await #expect(throws: NoSession(user: 7)) { try await responses.retrieve("gen_1") }
        await #expect(throws: NoSession(user: 7)) { try await responses.wait(for: "gen_1") }
        await #expect(throws: NoSession(user: 7)) {
            for try await _ in responses.updates(for: "gen_1") {}
        }
        await #expect(throws: NoSession(user: 7)) {
            try await responses.download("gen_1", to: file)
        }
        #expect(try await emulator.count() == 0)
    }

    @Test func aCancellationThatItThrowsDoesToo() async throws {
        let client = try Pipevideo(
            apiKey: { throw CancellationError() }, baseURL: "http://127.0.0.1:1")
        await #expect(throws: CancellationError.self) {
            try await client.responses.create(model: kimi, input: "A cat")
        }
        await #expect(throws: CancellationError.self) {
            try await client.responses.wait(for: "gen_1")
        }
    }

    @Test func itsTaskIsCancelledWhenTheCallIsOver() async throws {
        enum Event { case asked, cancelled }
        let events = Collected<Event>()
        let key: @Sendable () async throws -> String = {
            events.add(.asked)
            do {
                try await Task.sleep(for: .seconds(3600))
            } catch {
                events.add(.cancelled)
                throw error
            }
            return ""
        }
        let url = "http://127.0.0.1:1"
        let client = try Pipevideo(apiKey: key, baseURL: url)
        let task = Task { try await client.responses.retrieve("gen_1") }
        #expect(await events.first(1) == [.asked])
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await events.first(2) == [.asked, .cancelled])

        let hasty = try Pipevideo(
            apiKey: key, baseURL: url, requestTimeout: .milliseconds(50), maxRetries: 0)
        let error = await failure { try await hasty.responses.retrieve("gen_1") }
        #expect(error?.kind == .timeout)
        #expect(await events.first(4) == [.asked, .cancelled, .asked, .cancelled])
    }

    /// What was paid for is not lost: the error has the id, and the function's error as its cause.
    @Test func aGenerationIsNotLostWithIt() async throws {
        let emulator = try await Emulator.start()
        let (counter, key) = (Counter(), emulator.apiKey)
        let client = try Pipevideo(
            apiKey: {
                guard await counter.next() < 3 else { throw NoSession(user: 7) }
                return key
            },
            baseURL: emulator.baseURL, polling: Polling(minInterval: .zero, maxInterval: .zero)
        )
        let error = await failure {
            try await client.generate(model: kimi, input: "A cat")
        }
        #expect(error?.kind == .authentication && error?.retryable == false)
        #expect(error?.cause as? NoSession == NoSession(user: 7))
        let id = try #require(error?.generationID)
        #expect(try await emulator.client().responses.wait(for: id).status == .completed)
    }

    @Test func oneThatNeverAnswersIsBoundByTheRequestTimeout() async throws {
        let emulator = try await Emulator.start()
        let client = try Pipevideo(
            apiKey: {
                try await Task.sleep(for: .seconds(3600))
                return ""
            },
            baseURL: emulator.baseURL, requestTimeout: .milliseconds(50), maxRetries: 0
        )
        let error = await failure {
            try await client.responses.create(model: kimi, input: "A cat")
        }
        #expect(error?.kind == .timeout && error?.retryable == true)
        #expect(try await emulator.count() == 0)
    }

    @Test func aTokenThatIsNoneIsRefused() async throws {
        let client = try Pipevideo(apiKey: { "two words" }, baseURL: "http://127.0.0.1:1")
        let error = await failure { try await client.usage.retrieve() }
        #expect(error?.kind == .configuration && error?.message.contains("two words") == false)
    }

    final class Session: Sendable {
        let token = "pv_test"
    }

    @Test func aClientThatIsGoneLetsGoOfItsFunction() async throws {
        weak var kept: Session?
        do {
            let session = Session()
            kept = session
            let server = try SilentServer()
            let client = try Pipevideo(apiKey: { session.token }, baseURL: server.url)
            let task = Task { try await client.usage.retrieve() }
            _ = await server.events.first(1)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(kept != nil)
        }
        #expect(kept == nil)
    }
}

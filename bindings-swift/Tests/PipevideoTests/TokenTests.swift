import Foundation
import Pipevideo
import Testing

/// A token function in place of a key.
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

    @Test func functionIsCalledBeforeEachRequest() async throws {
        let emulator = try await Emulator.start()
        let (counter, key) = (Counter(), emulator.apiKey)
        let client = try PipevideoClient(
            baseURL: emulator.baseURL,
            token: {
                _ = await counter.next()
                return key
            },
            configuration: emulator.configuration()
        )
        let generation = try await client.generate(model: kimi, input: "A cat")
        #expect(generation.status == .completed)
        let requests = try await emulator.requests()
        #expect(requests.count == 4)
        #expect(await counter.count == 4)
        #expect(requests.allSatisfy { $0["headers"]?["authorization"] == "Bearer <key>" })
    }

    @Test func thrownErrorReachesTheCallerUnchanged() async throws {
        let emulator = try await Emulator.start()
        let client = try PipevideoClient(
            baseURL: emulator.baseURL, token: { throw NoSession(user: 7) })
        await #expect(throws: NoSession(user: 7)) {
            try await client.responses.create(model: kimi, input: "A cat")
        }
        await #expect(throws: NoSession(user: 7)) { try await client.usage.retrieve() }
        // These calls have an id, but one that the caller already has.
        let responses = client.responses
        let file = FileManager.default.temporaryDirectory.appending(path: "never.mp4")
        await #expect(throws: NoSession(user: 7)) { try await responses.retrieve("gen_1") }
        await #expect(throws: NoSession(user: 7)) {
            try await responses.download("gen_1", to: file)
        }
        #expect(try await emulator.requestCount() == 0)
    }

    @Test func thrownCancellationErrorReachesTheCallerToo() async throws {
        let client = try PipevideoClient(
            baseURL: "http://127.0.0.1:1", token: { throw CancellationError() })
        await #expect(throws: CancellationError.self) {
            try await client.responses.create(model: kimi, input: "A cat")
        }
    }

    /// The error of a call that has called the function before its deadline. On a busy machine that can take
    /// seconds, so the deadline grows.
    private func failureWithCause(
        _ call: (Duration) async throws -> some Any
    ) async -> PipevideoError? {
        var deadline = Duration.milliseconds(50)
        while true {
            let error = await failure { try await call(deadline) }
            if error?.cause != nil || deadline > .seconds(20) { return error }
            deadline *= 10
        }
    }

    /// A wait asks the function again until its deadline.
    @Test func thrownErrorIsTheCauseOfAWaitsEnd() async throws {
        let client = try PipevideoClient(
            baseURL: "http://127.0.0.1:1", token: { throw NoSession(user: 7) })
        let waited = await failureWithCause { deadline in
            try await client.responses.wait(for: "gen_1", deadline: deadline)
        }
        #expect(waited?.kind == .waitTimeout && waited?.generationID == "gen_1")
        #expect(waited?.cause as? NoSession == NoSession(user: 7))
        let watched = await failureWithCause { deadline in
            let updates = client.responses.updates(for: "gen_1", deadline: deadline)
            for try await update in updates { return "\(update)" }
            return "no update"
        }
        #expect(watched?.cause as? NoSession == NoSession(user: 7))
    }

    @Test func functionIsCancelledWhenTheCallEnds() async throws {
        enum Event { case called, cancelled }
        let events = Collected<Event>()
        let token: @Sendable () async throws -> String = {
            events.add(.called)
            do {
                try await Task.sleep(for: .seconds(3600))
            } catch {
                events.add(.cancelled)
                throw error
            }
            return ""
        }
        let url = "http://127.0.0.1:1"
        let client = try PipevideoClient(baseURL: url, token: token)
        let task = Task { try await client.responses.retrieve("gen_1") }
        #expect(await events.first(1) == [.called])
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await events.first(2) == [.called, .cancelled])

        let impatient = try PipevideoClient(
            baseURL: url, token: token,
            configuration: .init(requestTimeout: .milliseconds(50), maxRetries: 0)
        )
        let error = await failure { try await impatient.responses.retrieve("gen_1") }
        #expect(error?.kind == .timeout)
        #expect(await events.first(4) == [.called, .cancelled, .called, .cancelled])
    }

    /// A paid generation is not lost: the error has its id, and the function's error as its cause.
    @Test func thrownErrorKeepsTheIdOfACreatedGeneration() async throws {
        let emulator = try await Emulator.start()
        let error = await failureWithCause { deadline in
            let (counter, key) = (Counter(), emulator.apiKey)
            let client = try PipevideoClient(
                baseURL: emulator.baseURL,
                token: {
                    guard await counter.next() < 2 else { throw NoSession(user: 7) }
                    return key
                },
                configuration: emulator.configuration()
            )
            return try await client.generate(model: kimi, input: "A cat", deadline: deadline)
        }
        #expect(error?.kind == .waitTimeout && error?.isRetryable == false)
        #expect(error?.cause as? NoSession == NoSession(user: 7))
        let id = try #require(error?.generationID)
        #expect(try await emulator.client().responses.wait(for: id).status == .completed)
    }

    @Test func requestTimeoutBoundsTheFunction() async throws {
        let emulator = try await Emulator.start()
        let client = try PipevideoClient(
            baseURL: emulator.baseURL,
            token: {
                try await Task.sleep(for: .seconds(3600))
                return ""
            },
            configuration: .init(requestTimeout: .milliseconds(50), maxRetries: 0)
        )
        let error = await failure {
            try await client.responses.create(model: kimi, input: "A cat")
        }
        #expect(error?.kind == .timeout && error?.isRetryable == true)
        #expect(try await emulator.requestCount() == 0)
    }

    @Test func invalidTokenIsRefusedWithoutQuotingIt() async throws {
        let client = try PipevideoClient(baseURL: "http://127.0.0.1:1", token: { "two words" })
        let error = await failure { try await client.usage.retrieve() }
        #expect(error?.kind == .configuration && error?.message.contains("two words") == false)
    }

    final class Session: Sendable {
        let token = "pv_test"
    }

    @Test func deallocatedClientReleasesItsFunction() async throws {
        weak var captured: Session?
        do {
            let session = Session()
            captured = session
            let server = try SilentServer()
            let client = try PipevideoClient(baseURL: server.url, token: { session.token })
            let task = Task { try await client.usage.retrieve() }
            _ = await server.events.first(1)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(captured != nil)
        }
        #expect(captured == nil)
    }
}

import Foundation
import Pipevideo
import PipevideoTesting
import Testing

/// The fake client behaves as the real one does.
@Suite(.timeLimit(.minutes(1))) struct FakeTests {
    private let request = GenerationRequest(model: kimi, prompt: "A cat")

    /// What both clients must do in the same way.
    private func check(_ client: any VideoGenerating, _ failing: any VideoGenerating) async throws {
        var statuses: [Status] = []
        let generation = try await client.generate(request) { update in
            statuses.append(update.generation.status)
            #expect((update.progress == 1) == update.generation.isFinal)
        }
        #expect(statuses.changes == [.queued, .inProgress, .completed])
        #expect(generation.outputVideoURL != nil)
        #expect(try await client.retrieve(generation.id).status == .completed)
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try await client.download(generation, to: file) == file)
        let streamed = try await client.stream(generation).reduce(into: Data()) { $0 += $1 }
        #expect(try !streamed.isEmpty && streamed == Data(contentsOf: file))

        let created = try await client.create(request)
        #expect(created.status == .queued && created.id != generation.id)
        statuses = []
        for try await update in client.updates(for: created.id) {
            statuses.append(update.generation.status)
        }
        #expect(statuses.last == .completed)
        #expect(await failure { try await client.retrieve("gen_none") }?.kind == .notFound)

        let failed = await failure { try await failing.generate(request) }
        #expect(failed?.kind == .generationFailed && failed?.generation?.status == .failed)
        #expect(failed?.category == .invalidPrompt)
        let uncertain = PipevideoError(
            .submissionUncertain, "The response was lost.", model: kimi, sentAt: Date())
        #expect(try await client.candidates(for: uncertain).coversCreate)
    }

    @Test func fakeAndRealClientDoTheSame() async throws {
        let error = GenerationError(code: "invalid_prompt")
        try await check(
            FakeVideoGenerator([
                .completes(after: [.queued, .inProgress]), .completes(),
            ]),
            FakeVideoGenerator([.fails(error)])
        )
        let emulator = try await Emulator.start()
        let failing = try await Emulator.start([
            "polls": [
                ["status": "failed", "error": ["code": "invalid_prompt", "message": "No"]]
            ]
        ])
        try await check(emulator.client(), failing.client())
    }

    @Test func scriptSaysWhatHappensToEachCreate() async throws {
        let refusal = PipevideoError(.insufficientCredits, "The balance is too low.")
        let client = FakeVideoGenerator([.createFails(refusal), .completes()])
        #expect(await failure { try await client.create(request) } == refusal)
        #expect(try await client.generate(request).id == "gen_fake_2")
        let beyond = await failure { try await client.create(request) }
        #expect(beyond?.message.contains("2 scenes") == true)
        #expect(client.requests.count == 3)
    }

    @Test func generationThatNeverEndsCanBeCancelled() async throws {
        let client = FakeVideoGenerator([.neverEnds()])
        let seen = Collected<Status>()
        let task = Task { try await client.generate(request) { seen.add($0.generation.status) } }
        #expect(await seen.first(2) == [.queued, .inProgress])
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    /// Makes every call with these options. Returns the number of calls.
    private func callAll(
        _ client: any VideoGenerating, _ options: CallOptions
    ) async throws -> Int {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        let id = try await client.create(request, options: options).id
        _ = try await client.retrieve(id, options: options)
        for try await _ in client.updates(for: id, options: options) {}
        _ = try await client.wait(for: id, options: options)
        _ = try await client.wait(for: id, options: options) { _ in }
        _ = try await client.generate(request, options: options)
        let generation = try await client.generate(request, options: options) { _ in }
        try await client.download(generation, to: file, options: options)
        try await client.download(generation, to: file, maxBytes: 1 << 30, options: options) {
            _ in
        }
        for try await _ in client.stream(generation, options: options) {}
        let uncertain = PipevideoError(
            .submissionUncertain, "The response was lost.", model: kimi, sentAt: Date())
        _ = try await client.candidates(for: uncertain, options: options)
        return 11
    }

    @Test func optionsOfACallReachItsRequests() async throws {
        let emulator = try await Emulator.start()
        let options = CallOptions(maxRetries: 1, headers: ["x-tenant": "cats"])
        _ = try await callAll(emulator.client(), options)
        let requests = try await emulator.requests().filter { request in
            request["path"]?.stringValue?.hasPrefix("/v1/") == true
        }
        #expect(requests.count > 10)
        #expect(requests.allSatisfy { $0["headers"]?["x-tenant"] == "cats" })

        let fake = FakeVideoGenerator([.completes(), .completes(), .completes()])
        let calls = try await callAll(fake, options)
        #expect(fake.options == Array(repeating: options, count: calls))
        _ = try await fake.candidates(for: PipevideoError(.submissionUncertain, "Lost."))
        #expect(fake.options.last == CallOptions())
    }

    /// A wait that reaches its deadline, which both clients must end in the same way.
    private func checkDeadline(_ client: any VideoGenerating) async throws {
        let deadline = Duration.milliseconds(100)
        let id = try await client.create(request).id
        for error in [
            await failure { try await client.wait(for: id, deadline: deadline) },
            await failure {
                for try await _ in client.updates(for: id, deadline: deadline) {}
                return "ended"
            },
            await failure { try await client.generate(request, deadline: deadline) { _ in } },
        ] {
            #expect(error?.kind == .waitTimeout && error?.last?.status == .inProgress)
            #expect(error?.generationID != nil)
        }
    }

    @Test func fakeAndRealClientKeepTheDeadline() async throws {
        try await checkDeadline(FakeVideoGenerator([.neverEnds(), .neverEnds()]))
        let slow = FakeVideoGenerator.Scene.completes(after: [.inProgress, .inProgress])
            .every(.milliseconds(60))
        try await checkDeadline(FakeVideoGenerator([slow, slow]))
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        try await checkDeadline(emulator.client())
    }

    @Test func emulatorsTimeCanBeMovedForward() async throws {
        let emulator = try await Emulator.start(["speed": 1, "polls": .null])
        let client = try emulator.client()
        let id = try await client.create(request).id
        #expect(try await client.retrieve(id).isFinal == false)
        try await emulator.advance(by: .seconds(3600))
        #expect(try await client.retrieve(id).status == .completed)
        await #expect(throws: PipevideoError.self) { try await emulator.advance(by: .seconds(-1)) }
    }
}

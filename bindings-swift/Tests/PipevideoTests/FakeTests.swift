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
        #expect(statuses == [.queued, .inProgress, .completed])
        #expect(generation.outputVideoURL != nil)
        #expect(try await client.retrieve(generation.id).status == .completed)
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try await client.download(generation, to: file) == file)
        #expect(try !Data(contentsOf: file).isEmpty)

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
}

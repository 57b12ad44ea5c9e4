import Foundation
import Pipevideo
import PipevideoTesting
import PipevideoUI
import Testing

/// The model of a SwiftUI view.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct ModelTests {
    private let request = GenerationRequest(model: kimi, prompt: "A cat")

    @Test func showsProgressAndTheVideo() async throws {
        let client = FakeVideoGenerator([.completes(after: [.queued, .inProgress])])
        let model = GenerationModel(client: client)
        #expect(model.status == nil && !model.isWorking)
        model.create(request)
        model.create(request)
        #expect(model.status == .queued && model.isWorking && model.progress == 0)
        await model.waitUntilIdle()
        #expect(model.status == .completed && model.progress == 1 && !model.isWorking)
        #expect(model.videoURL != nil && model.error == nil)
        #expect(client.requests.count == 1)
        model.reset()
        #expect(model.status == nil && model.videoURL == nil && model.generationID == nil)
    }

    @Test func resumesByTheStoredId() async throws {
        let emulator = try await Emulator.start()
        let id = try await emulator.addGeneration()
        let model = GenerationModel(client: try emulator.client())
        model.resume(id)
        #expect(model.generationID == id)
        await model.waitUntilIdle()
        #expect(model.status == .completed && model.videoURL != nil && model.generationID == id)
        model.resume(id)
        await model.waitUntilIdle()
        #expect(model.status == .completed && model.progress == 1)
        model.resume("gen_none")
        await model.waitUntilIdle()
        #expect((model.error as? PipevideoError)?.kind == .notFound && model.generationID == nil)
        #expect(try await emulator.requests().allSatisfy { $0["method"] == "GET" })
    }

    @Test func showsFailures() async throws {
        let refusal = PipevideoError(.insufficientCredits, "The balance is too low.")
        let client = FakeVideoGenerator([
            .createFails(refusal), .fails(GenerationError(code: "invalid_prompt")),
        ])
        let model = GenerationModel(client: client)
        model.create(request)
        await model.waitUntilIdle()
        #expect(model.error as? PipevideoError == refusal && !model.isWorking)
        model.create(request)
        #expect(model.error == nil)
        await model.waitUntilIdle()
        let error = model.error as? PipevideoError
        #expect(error?.kind == .generationFailed && error?.category == .invalidPrompt)
        // A failed generation cannot be resumed.
        #expect(model.status == .failed && model.generationID == nil)
    }

    @Test func cancellingKeepsTheId() async throws {
        let client = FakeVideoGenerator([.neverEnds()])
        let model = GenerationModel(client: client)
        model.create(request)
        while model.status != .inProgress { await Task.yield() }
        model.cancel()
        await model.waitUntilIdle()
        #expect(model.error == nil && !model.isWorking && model.generationID == "gen_fake_1")
    }

    /// The generation may be paid for, and could not be resumed without its id.
    @Test func cancellingCompletesTheCreateUnderWay() async throws {
        let emulator = try await Emulator.start()
        let (calls, call) = AsyncStream.makeStream(of: Void.self)
        let (release, releaser) = AsyncStream.makeStream(of: Void.self)
        let key = emulator.apiKey
        let client = try PipevideoClient(
            baseURL: emulator.baseURL,
            token: {
                call.yield()
                for await _ in release {}
                return key
            },
            configuration: emulator.configuration()
        )
        let model = GenerationModel(client: client)
        model.create(request)
        for await _ in calls { break }
        model.cancel()
        releaser.finish()
        await model.waitUntilIdle()
        #expect(!model.isWorking && model.error == nil)
        model.resume(try #require(model.generationID))
        await model.waitUntilIdle()
        #expect(model.status == .completed)
        let posts = try await emulator.requests().filter { $0["method"] == "POST" }
        #expect(posts.count == 1)
    }

    @Test func deallocatedModelStopsPolling() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client()
        weak var released: GenerationModel?
        do {
            let model = GenerationModel(client: client)
            released = model
            model.resume(try await emulator.addGeneration())
            while model.status != .inProgress { await Task.yield() }
        }
        #expect(released == nil)
        try await emulator.expectNoMoreRequests()
    }
}

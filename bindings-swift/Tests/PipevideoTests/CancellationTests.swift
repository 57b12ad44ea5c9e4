import Foundation
import Pipevideo
import Testing

/// Cancelling a task drops its request, and nothing more is sent.
@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    /// Every call, made so that it would not end by itself.
    enum EndlessCall: String, CaseIterable {
        case create, retrieve, wait, updates, generate, download, stream, data, engines, usage

        func make(_ client: PipevideoClient) async throws {
            let file = FileManager.default.temporaryDirectory.appending(path: "never.mp4")
            switch self {
            case .create: _ = try await client.responses.create(model: kimi, input: "A cat")
            case .retrieve: _ = try await client.responses.retrieve("gen_1")
            case .wait: _ = try await client.responses.wait(for: "gen_1")
            case .updates: for try await _ in client.responses.updates(for: "gen_1") {}
            case .generate: _ = try await client.generate(model: kimi, input: "A cat")
            case .download: try await client.responses.download("gen_1", to: file)
            case .stream: for try await _ in client.responses.stream("gen_1") {}
            case .data: _ = try await client.responses.data("gen_1")
            case .engines: _ = try await client.engines.list()
            case .usage: _ = try await client.usage.retrieve()
            }
        }
    }

    @Test(arguments: EndlessCall.allCases)
    func cancellingClosesTheConnection(_ call: EndlessCall) async throws {
        let server = try SilentServer()
        // The timeouts end the test if cancelling does not work.
        let client = try PipevideoClient(
            apiKey: "pv_test",
            configuration: .init(
                baseURL: server.url, requestTimeout: .seconds(10), maxRetries: 0,
                deadline: .seconds(10)
            )
        )
        let task = Task { try await call.make(client) }
        #expect(await server.events.first(1) == [.request])
        task.cancel()
        if call == .create || call == .generate {
            let error = await failure { try await task.value }
            #expect(error?.kind == .submissionUncertain && error?.cause is CancellationError)
            #expect(error?.model == kimi && error?.generationID == nil)
            #expect(abs(try #require(error?.sentAt).timeIntervalSinceNow) < 60)
        } else {
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(await server.events.first(2) == [.request, .closed])
    }

    @Test(arguments: EndlessCall.allCases)
    func callInCancelledTaskSendsNothing(_ call: EndlessCall) async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let (start, starter) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            for await _ in start {}
            try await call.make(client)
        }
        task.cancel()
        starter.finish()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await emulator.requestCount() == 0)
    }

    /// Waits until a request has arrived that satisfies the condition.
    private func waitForRequest(
        _ emulator: Emulator, where condition: (JSONValue) -> Bool
    ) async throws {
        while try await !emulator.requests().contains(where: condition) { await Task.yield() }
    }

    @Test(arguments: [EndlessCall.create, .generate])
    func cancelledCreateHasCandidates(_ call: EndlessCall) async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        // The service carries out the create, and its response comes too late.
        try await emulator.addFault(["match": ["method": "POST"], "delay_ms": 600_000])
        let task = Task { try await call.make(client) }
        try await waitForRequest(emulator) { $0["method"] == "POST" }
        task.cancel()
        let error = try #require(await failure { try await task.value })
        #expect(error.kind == .submissionUncertain && error.cause is CancellationError)
        let candidates = try await client.responses.candidates(for: error)
        #expect(candidates.count == 1 && candidates.first?.isSameModel == true)
    }

    @Test func cancelledGenerateKeepsTheId() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client { $0.deadline = .seconds(30) }
        let task = Task { try await client.generate(model: kimi, input: "A cat") }
        try await waitForRequest(emulator) { $0["method"] == "GET" }
        task.cancel()
        let error = try #require(await failure { try await task.value })
        #expect(error.kind == .submissionUncertain && error.cause is CancellationError)
        let id = try #require(error.generationID)
        #expect(error.message.contains(id) && !error.isRetryable)
        try await emulator.expectNoMoreRequests()
    }

    @Test func cancelledWaitStopsPolling() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client { $0.deadline = .seconds(10) }
        let id = try await emulator.addGeneration()
        let seen = Collected<GenerationUpdate>()
        let task = Task { try await client.responses.wait(for: id) { seen.add($0) } }
        #expect(await seen.first(1).first?.generation.id == id)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await emulator.expectNoMoreRequests()
    }

    @Test func leavingTheLoopStopsPolling() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client { $0.deadline = .seconds(10) }
        let id = try await emulator.addGeneration()
        for try await update in client.responses.updates(for: id) {
            #expect(update.generation.status == .inProgress)
            break
        }
        try await emulator.expectNoMoreRequests()
    }

    @Test func cancellingOneWaitLeavesTheOtherRunning() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client { $0.deadline = .seconds(10) }
        let id = try await emulator.addGeneration()
        let seen = Collected<GenerationUpdate>()
        let remaining = Task { try await client.responses.wait(for: id) }
        let cancelled = Task { try await client.responses.wait(for: id) { seen.add($0) } }
        _ = await seen.first(1)
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        try await emulator.settle(id, ["status": "completed"])
        #expect(try await remaining.value.status == .completed)
    }

    @Test func cancelledDownloadResumesLater() async throws {
        let emulator = try await Emulator.start(["video_bytes": 40_000_000])
        let client = try emulator.client()
        // The first half arrives, and the request for the second one is cancelled.
        try await emulator.addFault(["match": ["origin": "video"], "drop": "mid_body"])
        try await emulator.addFault(["match": ["origin": "video"], "delay_ms": 600_000])
        let id = try await emulator.addGeneration(["polls": ["completed"]])
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "cat.mp4")
        let isRange = { (request: JSONValue) in request["headers"]?["range"] != nil }
        let task = Task {
            var last: DownloadProgress?
            _ = try? await client.responses.download(id, to: file) { last = $0 }
            return (last, Task.isCancelled)
        }
        try await waitForRequest(emulator, where: isRange)
        task.cancel()
        let (last, wasCancelled) = await task.value
        #expect(wasCancelled && last?.total == 40_000_000 && last?.downloaded == 20_000_000)
        #expect(!FileManager.default.fileExists(atPath: file.path))
        try await client.responses.download(id, to: file)
        #expect(try Data(contentsOf: file).count == 40_000_000)
        #expect(try await emulator.requests().filter(isRange).count == 2)
    }
}

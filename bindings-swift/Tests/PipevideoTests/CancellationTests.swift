import Foundation
import Pipevideo
import Testing

/// Cancelling reaches the core: the request is dropped, nothing more is sent.
@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    /// The calls, each of which would never end.
    enum Endless: String, CaseIterable {
        case create, retrieve, wait, updates, generate, download, engines, usage

        func call(_ client: Pipevideo) async throws {
            let file = FileManager.default.temporaryDirectory.appending(path: "never.mp4")
            switch self {
            case .create: _ = try await client.responses.create(model: kimi, input: "A cat")
            case .retrieve: _ = try await client.responses.retrieve("gen_1")
            case .wait: _ = try await client.responses.wait(for: "gen_1")
            case .updates: for try await _ in client.responses.updates(for: "gen_1") {}
            case .generate: _ = try await client.generate(model: kimi, input: "A cat")
            case .download: try await client.responses.download("gen_1", to: file)
            case .engines: _ = try await client.engines.list()
            case .usage: _ = try await client.usage.retrieve()
            }
        }
    }

    @Test(arguments: Endless.allCases)
    func cancellingClosesTheRequest(_ endless: Endless) async throws {
        let server = try SilentServer()
        // If it were not cancelled, it would end all the same.
        let client = try Pipevideo(
            apiKey: "pv_test", baseURL: server.url, requestTimeout: .seconds(10), maxRetries: 0,
            deadline: .seconds(10)
        )
        let task = Task { try await endless.call(client) }
        #expect(await server.events.first(1) == [.request])
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await server.events.first(2) == [.request, .closed])
    }

    @Test(arguments: Endless.allCases)
    func whatWasCancelledBeforeSendsNothing(_ endless: Endless) async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let (begin, begun) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            for await _ in begin {}
            try await endless.call(client)
        }
        task.cancel()
        begun.finish()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await emulator.count() == 0)
    }

    /// Requests about a generation that is followed by nobody stay as many.
    private func expectNoMorePolls(of id: String, _ emulator: Emulator) async throws {
        let client = try emulator.client()
        let other = try await emulator.addGeneration()
        func polls() async throws -> Int {
            _ = try await client.responses.retrieve(other)
            let requests = try await emulator.requests()
            return requests.filter { $0["path"] == .string("/v1/responses/\(id)") }.count
        }
        let before = try await polls()
        #expect(before > 0)
        // It polls without pauses: in this time it would have come many times.
        for _ in 0..<20 { _ = try await polls() }
        #expect(try await polls() == before)
    }

    @Test func aCancelledWaitPollsNoMore() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client(deadline: .seconds(10))
        let id = try await emulator.addGeneration()
        let seen = Collected<Update>()
        let task = Task { try await client.responses.wait(for: id) { seen.add($0) } }
        #expect(await seen.first(1).first?.generation.id == id)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await expectNoMorePolls(of: id, emulator)
    }

    @Test func leavingTheLoopStopsFollowing() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client(deadline: .seconds(10))
        let id = try await emulator.addGeneration()
        for try await update in client.responses.updates(for: id) {
            #expect(update.generation.status == .inProgress)
            break
        }
        try await expectNoMorePolls(of: id, emulator)
    }

    @Test func cancellingOneWaitLeavesTheOther() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client(deadline: .seconds(10))
        let id = try await emulator.addGeneration()
        let seen = Collected<Update>()
        let stays = Task { try await client.responses.wait(for: id) }
        let leaves = Task { try await client.responses.wait(for: id) { seen.add($0) } }
        _ = await seen.first(1)
        leaves.cancel()
        await #expect(throws: CancellationError.self) { try await leaves.value }
        try await emulator.settle(id, ["status": "completed"])
        #expect(try await stays.value.status == .completed)
    }

    @Test func aCancelledDownloadGoesOnLater() async throws {
        let emulator = try await Emulator.start(["video_bytes": 40_000_000])
        let client = try emulator.client()
        let id = try await emulator.addGeneration(["polls": ["completed"]])
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "cat.mp4")
        let seen = Collected<DownloadProgress>()
        let cancelled = DispatchSemaphore(value: 0)
        let task = Task {
            try await client.responses.download(id, to: file) { progress in
                seen.add(progress)
                // It would be through before it is cancelled.
                cancelled.wait()
                cancelled.signal()
            }
        }
        #expect(await seen.first(1).first?.total == 40_000_000)
        task.cancel()
        cancelled.signal()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!FileManager.default.fileExists(atPath: file.path))
        let kept = try Data(contentsOf: folder.appending(path: "cat.mp4.part")).count
        #expect(kept > 0)
        try await client.responses.download(id, to: file)
        #expect(try Data(contentsOf: file).count == 40_000_000)
        let ranges = try await emulator.requests().compactMap {
            $0["headers"]?["range"]?.stringValue
        }
        #expect(ranges == ["bytes=\(kept)-"])
    }
}

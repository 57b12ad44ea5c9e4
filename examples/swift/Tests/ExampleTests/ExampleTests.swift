import Foundation
import Pipevideo
import Testing
import VideoStudio
import WebhookFunction

/// Runs the examples against the emulator.
@Suite(.timeLimit(.minutes(1))) struct ExampleTests {
    @Test func helloSavesAVideo() async throws {
        let emulator = try await Emulator.start(["polls": ["completed"]])
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (status, output) = try await run(
            "Hello", [], in: folder,
            ["PIPEVIDEO_API_KEY": emulator.apiKey, "PIPEVIDEO_BASE_URL": emulator.baseURL]
        )
        #expect(status == 0, "\(output)")
        let video = try Data(contentsOf: folder.appending(path: "hello.mp4"))
        #expect(try video == Repository.data("emulator/assets/video.mp4"))
        let source = try Repository.data("examples/swift/Sources/Hello/main.swift")
        #expect(source.count { $0 == UInt8(ascii: "\n") } <= 15)
    }

    @Test func quickstartSavesAVideo() async throws {
        let emulator = try await Emulator.start(["polls": ["completed"]])
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let (status, output) = try await run(
            "Quickstart", ["A dog"], in: folder,
            ["PIPEVIDEO_API_KEY": emulator.apiKey, "PIPEVIDEO_BASE_URL": emulator.baseURL]
        )
        #expect(status == 0, "\(output)")
        #expect(output.contains("is completed") && output.contains("cost: $"))
        let video = try Data(contentsOf: folder.appending(path: "generation.mp4"))
        #expect(try video == Repository.data("emulator/assets/video.mp4"))
        let create = try await emulator.requests()[0]
        #expect(create["body"]?["input"] == "A dog")

        let (failed, message) = try await run("Quickstart", [], in: folder, [:])
        #expect(failed == 1 && message.contains("PIPEVIDEO_API_KEY"))
    }

    private func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Runs a program that was built beside this test, and returns its status and output.
    private func run(
        _ name: String, _ arguments: [String], in folder: URL, _ environment: [String: String]
    ) async throws -> (Int32, String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: CommandLine.arguments[0])
            .deletingLastPathComponent().appending(path: name)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = environment
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let data = output.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                let text = String(decoding: data, as: UTF8.self)
                continuation.resume(returning: (process.terminationStatus, text))
            }
        }
    }

    @Test func webhookFunctionHandlesEachEventOnce() async throws {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client {
            $0.polling.safetyInterval = .seconds(3600)
            $0.webhookSecrets = [secret]
        }
        let id = try await emulator.addGeneration()
        var updates = client.responses.updates(for: id).makeAsyncIterator()
        #expect(try await updates.next()?.generation.status == .inProgress)
        try await emulator.settle(id, ["status": "completed"])

        let (events, continuation) = AsyncStream.makeStream(of: WebhookEvent.self)
        let failing = WebhookFunction(client: client) { _ in throw CocoaError(.fileWriteUnknown) }
        let function = WebhookFunction(client: client) { continuation.yield($0) }
        let body = Data(
            #"{"eventType":"video.generation.completed","generationId":"\#(id)","status":"completed"}"#
                .utf8
        )
        let signed = try Webhook(secrets: [secret]).sign(body, id: "msg_1")
        let headers = signed.map { ($0.key, $0.value) }
        // The event is handled when it is delivered again after a failure.
        #expect(throws: CocoaError.self) { try failing.handle(body: body, headers: headers) }
        #expect(try function.handle(body: body, headers: headers) == 204)
        // The service delivers again if it received no response.
        #expect(try function.handle(body: body, headers: headers) == 204)
        #expect(try function.handle(body: body + [10], headers: headers) == 400)
        #expect(try function.handle(body: body, headers: [("svix-id", "msg_1")]) == 400)
        let unset = WebhookFunction(client: try emulator.client()) { _ in }
        #expect(throws: PipevideoError.self) { try unset.handle(body: body, headers: headers) }
        continuation.finish()
        #expect(await events.reduce(into: []) { $0.append($1) }.map(\.generationID) == [id])
        #expect(try await updates.next()?.via == .webhook)
    }

    @MainActor
    @Test func modelShowsProgressAndTheVideo() async throws {
        let emulator = try await Emulator.start()
        let model = VideoModel(client: try emulator.client())
        #expect(model.phase == .idle)
        model.create(prompt: "A cat")
        model.create(prompt: "One at a time")
        #expect(model.phase == .working(progress: 0, status: .queued))
        await model.waitUntilIdle()
        guard case .ready(let url) = model.phase else {
            Issue.record("the phase is \(model.phase)")
            return
        }
        #expect(url.pathExtension == "mp4" || url.query != nil)
        let posts = try await emulator.requests().filter { $0["method"] == "POST" }
        #expect(posts.count == 1)

        let id = try #require(model.generationID)
        let later = VideoModel(client: try emulator.client())
        later.resume(id)
        await later.waitUntilIdle()
        #expect(later.generationID == id && later.phase != .idle)
    }

    @MainActor
    @Test func modelShowsFailuresAndCanBeCancelled() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let model = VideoModel(client: try emulator.client())
        let failing = try await emulator.addGeneration(["polls": ["failed"]])
        model.resume(failing)
        await model.waitUntilIdle()
        guard case .failed = model.phase else {
            Issue.record("the phase is \(model.phase)")
            return
        }
        // A failed generation cannot be resumed.
        #expect(model.generationID == nil)
        model.reset()
        #expect(model.phase == .idle)
        model.create(prompt: "A cat")
        model.cancel()
        await model.waitUntilIdle()
        #expect(model.phase == .idle)
        model.create(prompt: " ")
        await model.waitUntilIdle()
        guard case .failed(let text) = model.phase else {
            Issue.record("the phase is \(model.phase)")
            return
        }
        #expect(text.contains("text"))
        model.resume("gen_none")
        await model.waitUntilIdle()
        #expect(model.generationID == nil)
        #expect(try await emulator.requests().allSatisfy { $0["method"] == "GET" })
    }

    /// The generation may be paid for, and could not be resumed without its id.
    @MainActor
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
        let model = VideoModel(client: client)
        model.create(prompt: "A cat")
        for await _ in calls { break }
        model.cancel()
        releaser.finish()
        await model.waitUntilIdle()
        #expect(model.phase == .idle)
        model.resume(try #require(model.generationID))
        await model.waitUntilIdle()
        guard case .ready = model.phase else {
            Issue.record("the phase is \(model.phase)")
            return
        }
        let posts = try await emulator.requests().filter { $0["method"] == "POST" }
        #expect(posts.count == 1)
    }

    @MainActor
    @Test func deallocatedModelStopsPolling() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let (client, other) = (try emulator.client(), try await emulator.addGeneration())
        weak var released: VideoModel?
        do {
            let model = VideoModel(client: client)
            released = model
            model.resume(try await emulator.addGeneration())
            while model.phase == .working(progress: 0, status: .queued) { await Task.yield() }
        }
        #expect(released == nil)
        func polls() async throws -> Int {
            _ = try await client.responses.retrieve(other)
            return try await emulator.requests().filter {
                $0["path"] != .string("/v1/responses/\(other)")
            }.count
        }
        let before = try await polls()
        // The client polls without pauses, so it would poll many times meanwhile.
        for _ in 0..<20 { _ = try await polls() }
        #expect(try await polls() == before)
    }
}

import Foundation
import Pipevideo
import Testing
import VideoStudio
import WebhookFunction

/// The examples, against the emulator.
@Suite(.timeLimit(.minutes(1))) struct ExampleTests {
    @Test func quickstart() async throws {
        let emulator = try await Emulator.start(["polls": ["completed"]])
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
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

    /// Runs a program that was built beside this test: its status, and all that it printed.
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

    @Test func webhookFunction() async throws {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try Pipevideo(
            apiKey: emulator.apiKey, baseURL: emulator.baseURL,
            polling: Polling(minInterval: .zero, safetyInterval: .seconds(3600)),
            webhookSecrets: [secret]
        )
        let id = try await emulator.addGeneration()
        var updates = client.responses.updates(for: id).makeAsyncIterator()
        #expect(try await updates.next()?.generation.status == .inProgress)
        try await emulator.settle(id, ["status": "completed"])

        let (events, finished) = AsyncStream.makeStream(of: WebhookEvent.self)
        let function = WebhookFunction(client: client) { finished.yield($0) }
        let body = Data(
            #"{"eventType":"video.generation.completed","generationId":"\#(id)","status":"completed"}"#
                .utf8
        )
        let signed = try Webhook(secrets: [secret]).sign(body, id: "msg_1")
        let headers = signed.map { ($0.key, $0.value) }
        #expect(try function.handle(body: body, headers: headers) == 204)
        // The service delivers again where no answer has come.
        #expect(try function.handle(body: body, headers: headers) == 204)
        #expect(try function.handle(body: body + [10], headers: headers) == 400)
        #expect(try function.handle(body: body, headers: [("svix-id", "msg_1")]) == 400)
        let unset = WebhookFunction(client: try emulator.client()) { _ in }
        #expect(throws: PipevideoError.self) { try unset.handle(body: body, headers: headers) }
        finished.finish()
        #expect(await events.reduce(into: []) { $0.append($1) }.map(\.generationID) == [id])
        #expect(try await updates.next()?.via == .webhook)
    }

    @MainActor
    @Test func theModelShowsProgressAndTheVideo() async throws {
        let emulator = try await Emulator.start()
        let model = VideoModel(client: try emulator.client())
        #expect(model.phase == .idle)
        model.create(prompt: "A cat")
        model.create(prompt: "One at a time")
        #expect(model.phase == .working(progress: 0, status: .queued))
        await model.settled()
        guard case .ready(let url) = model.phase else {
            Issue.record("it is \(model.phase)")
            return
        }
        #expect(url.pathExtension == "mp4" || url.query != nil)
        let posts = try await emulator.requests().filter { $0["method"] == "POST" }
        #expect(posts.count == 1)

        let id = try #require(model.generationID)
        let later = VideoModel(client: try emulator.client())
        later.resume(id)
        await later.settled()
        #expect(later.generationID == id && later.phase != .idle)
    }

    @MainActor
    @Test func theModelFailsAndIsCancelled() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let model = VideoModel(client: try emulator.client())
        let failing = try await emulator.addGeneration(["polls": ["failed"]])
        model.resume(failing)
        await model.settled()
        guard case .failed = model.phase else {
            Issue.record("it is \(model.phase)")
            return
        }
        // It will not come back: there is nothing to go on with.
        #expect(model.generationID == nil)
        model.reset()
        #expect(model.phase == .idle)
        model.create(prompt: "A cat")
        model.cancel()
        await model.settled()
        #expect(model.phase == .idle)
        model.create(prompt: " ")
        await model.settled()
        guard case .failed(let text) = model.phase else {
            Issue.record("it is \(model.phase)")
            return
        }
        #expect(text.contains("text"))
        model.resume("gen_none")
        await model.settled()
        #expect(model.generationID == nil)
        #expect(try await emulator.requests().allSatisfy { $0["method"] == "GET" })
    }

    /// It may be paid for, and without its id nobody could have it.
    @MainActor
    @Test func aCreateUnderWayIsNotStopped() async throws {
        let emulator = try await Emulator.start()
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let key = emulator.apiKey
        let client = try Pipevideo(
            apiKey: {
                ask.yield()
                for await _ in gate {}
                return key
            },
            baseURL: emulator.baseURL, rateLimit: nil, polling: Polling(minInterval: .zero)
        )
        let model = VideoModel(client: client)
        model.create(prompt: "A cat")
        for await _ in asked { break }
        model.cancel()
        opener.finish()
        await model.settled()
        #expect(model.phase == .idle)
        model.resume(try #require(model.generationID))
        await model.settled()
        guard case .ready = model.phase else {
            Issue.record("it is \(model.phase)")
            return
        }
        let posts = try await emulator.requests().filter { $0["method"] == "POST" }
        #expect(posts.count == 1)
    }

    @MainActor
    @Test func aModelThatIsGoneFollowsNothing() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let (client, other) = (try emulator.client(), try await emulator.addGeneration())
        weak var gone: VideoModel?
        do {
            let model = VideoModel(client: client)
            gone = model
            model.resume(try await emulator.addGeneration())
            while model.phase == .working(progress: 0, status: .queued) { await Task.yield() }
        }
        #expect(gone == nil)
        func polls() async throws -> Int {
            _ = try await client.responses.retrieve(other)
            return try await emulator.requests().filter {
                $0["path"] != .string("/v1/responses/\(other)")
            }.count
        }
        let before = try await polls()
        // It polls without pauses: in this time it would have come many times.
        for _ in 0..<20 { _ = try await polls() }
        #expect(try await polls() == before)
    }
}

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
        #expect(function.handle(body: body, headers: headers) == 204)
        // The service delivers again where no answer has come.
        #expect(function.handle(body: body, headers: headers) == 204)
        #expect(function.handle(body: body + [10], headers: headers) == 400)
        #expect(function.handle(body: body, headers: [("svix-id", "msg_1")]) == 400)
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
        model.create(prompt: "A cat")
        model.cancel()
        #expect(model.phase == .idle)
        await model.settled()
        model.create(prompt: " ")
        await model.settled()
        guard case .failed(let text) = model.phase else {
            Issue.record("it is \(model.phase)")
            return
        }
        #expect(text.contains("text"))
    }
}

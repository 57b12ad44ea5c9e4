import Foundation
import Pipevideo
import PipevideoTesting
import PipevideoUI
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

    /// An app tests its own code with a fake client, which needs no emulator.
    @MainActor
    @Test func videoStudioCreatesAPortraitVideo() async throws {
        let video = try #require(URL(string: "https://videos.example.com/cat.mp4"))
        let client = FakeVideoGenerator([.completes(outputVideoURL: video)])
        let model = GenerationModel(client: client)
        model.create(videoRequest(prompt: "A cat"))
        await model.waitUntilIdle()
        #expect(model.videoURL == video && model.progress == 1)
        #expect(client.requests.map(\.aspectRatio) == ["9:16"])
    }
}

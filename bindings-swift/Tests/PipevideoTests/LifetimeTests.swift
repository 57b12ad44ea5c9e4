import Foundation
import Testing

@testable import Pipevideo

/// What calls need and leave behind: their client, threads, requests.
@Suite(.timeLimit(.minutes(1))) struct LifetimeTests {
    @Test func callsOutliveTheirClientAndThenReleaseIt() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let id = try await emulator.addGeneration()
        let seen = Collected<Void>()
        weak var core: AnyObject?
        let calls: [Task<Status?, any Error>]
        do {
            let client = try emulator.client()
            core = client.core
            let (responses, updates) = (client.responses, client.responses.updates(for: id))
            calls = [
                Task { try await responses.wait(for: id).status },
                Task { try await responses.wait(for: id) { _ in seen.add(()) }.status },
                Task {
                    var last: Status?
                    for try await update in updates {
                        last = update.generation.status
                        seen.add(())
                    }
                    return last
                },
            ]
        }
        #expect(await seen.first(2).count >= 2 && core != nil)
        try await emulator.settle(id, ["status": "completed"])
        for call in calls { #expect(try await call.value == .completed) }
        while core != nil {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    /// Calls of all kinds that are cancelled before they begin, at once, or in the middle.
    @Test func cancelStormLeavesNothingBehind() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let id = try await emulator.addGeneration()
        weak var core: AnyObject?
        do {
            let pause = Duration.milliseconds(100)
            let client = try emulator.client {
                $0.polling = Polling(minInterval: pause, maxInterval: pause)
            }
            core = client.core
            try await storm(client, id)
            try await emulator.expectNoMoreRequests()
            try await emulator.settle(id, ["status": "completed"])
            #expect(try await client.responses.wait(for: id).status == .completed)
        }
        while core != nil {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    private func storm(_ client: PipevideoClient, _ id: String) async throws {
        let tasks = (0..<60).map { number in
            Task {
                switch number % 3 {
                case 0: _ = try await client.responses.wait(for: id) { _ in }
                case 1: for try await _ in client.responses.updates(for: id) {}
                default: _ = try await client.generate(model: kimi, input: "A cat") { _ in }
                }
            }
        }
        for (number, task) in tasks.enumerated() {
            if number % 10 == 0 { _ = try await client.responses.retrieve(id) }
            task.cancel()
        }
        for task in tasks {
            do {
                try await task.value
                Issue.record("a call that does not end has ended")
            } catch let error as PipevideoError {
                #expect(error.kind == .submissionUncertain && error.cause is CancellationError)
            } catch {
                #expect(error is CancellationError)
            }
        }
    }

    #if os(Linux)
        /// A model of a view, which changes itself in the closures.
        @MainActor
        private final class Model {
            var updates = 0

            func wait(_ client: PipevideoClient, _ id: String) async throws {
                _ = try await client.responses.wait(for: id) { _ in self.updates += 1 }
            }
        }

        /// It runs in a process of its own, since the other tests here have threads too.
        @MainActor
        @Test func aThousandWaitsOfAMainActorModelNeedEightThreads() async throws {
            guard let id = ProcessInfo.processInfo.environment["PIPEVIDEO_TEST_WAIT"] else {
                let emulator = try await Emulator.start(["polls": ["in_progress"]])
                let id = try await emulator.addGeneration()
                let (status, output) = try await runAlone(
                    "aThousandWaitsOfAMainActorModelNeedEightThreads",
                    [
                        "PIPEVIDEO_BASE_URL": emulator.baseURL,
                        "PIPEVIDEO_API_KEY": emulator.apiKey, "PIPEVIDEO_TEST_WAIT": id,
                    ])
                #expect(status == 0 && output.contains("1 test passed"), "\(output)")
                return
            }
            let hour = Duration.seconds(3600)
            let client = try PipevideoClient(
                configuration: .init(
                    rateLimit: .unlimited, polling: Polling(minInterval: hour, maxInterval: hour)))
            let model = Model()
            let waits = (0..<1000).map { _ in Task { try await model.wait(client, id) } }
            while model.updates < 1000 {
                try Task.checkCancellation()
                await Task.yield()
            }
            let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
            // Swift's own pool has as many as there are processors: on two, these are eight.
            let limit = 6 + ProcessInfo.processInfo.activeProcessorCount
            #expect(threads.count <= limit)
            for wait in waits { wait.cancel() }
            for wait in waits {
                await #expect(throws: CancellationError.self) { try await wait.value }
            }
        }

        /// Runs one test in a process that does nothing else.
        private func runAlone(
            _ test: String, _ environment: [String: String]
        ) async throws -> (Int32, String) {
            let process = Process()
            let output = Pipe()
            process.executableURL = URL(filePath: CommandLine.arguments[0])
            process.arguments = ["--testing-library", "swift-testing", "--filter", test]
            process.environment = ProcessInfo.processInfo.environment
                .merging(environment) { _, own in own }
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
    #endif
}

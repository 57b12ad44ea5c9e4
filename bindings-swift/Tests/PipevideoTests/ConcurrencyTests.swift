import Foundation
import Pipevideo
import Testing

/// Concurrent calls, and calls from different actors.
@Suite(.timeLimit(.minutes(1))) struct ConcurrencyTests {
    @Test func twoHundredConcurrentWaitsComplete() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await client.responses.create(model: kimi, input: "Cat \(number)").id
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let ended = try await withThrowingTaskGroup(of: Generation.self) { group in
            for id in ids { group.addTask { try await client.responses.wait(for: id) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(ended.map(\.id)) == Set(ids) && ended.count == 200)
        #expect(ended.allSatisfy { $0.status == .completed })
    }

    /// An actor that has a client.
    actor Studio {
        private let client: PipevideoClient
        private(set) var ids: [String] = []

        init(_ client: PipevideoClient) {
            self.client = client
        }

        func generate() async throws {
            ids.append(try await client.generate(model: kimi, input: "A cat").id)
        }
    }

    @MainActor
    @Test func actorsShareOneClient() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let studios = [Studio(client), Studio(client), Studio(client)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for studio in studios {
                for _ in 0..<5 { group.addTask { try await studio.generate() } }
            }
            try await group.waitForAll()
        }
        let mine = try await client.generate(model: kimi, input: "A cat").id
        var all = [mine]
        for studio in studios { all += await studio.ids }
        #expect(Set(all).count == 16)
    }

    @Test func eachLoopYieldsEachChangeOnce() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let id = try await emulator.addGeneration()
        var seen: [Status] = []
        for try await update in client.responses.updates(for: id) {
            seen.append(update.generation.status)
            #expect(update.via == .poll && update.expected > .zero)
            #expect((update.progress == 1) == update.generation.isFinal)
        }
        #expect(seen == [.queued, .inProgress, .completed])
        // Each iterator polls anew, and one that has ended stays ended.
        let updates = client.responses.updates(for: id)
        var iterator = updates.makeAsyncIterator()
        #expect(try await iterator.next()?.generation.status == .completed)
        #expect(try await iterator.next() == nil)
        #expect(try await iterator.next() == nil)
        var again = updates.makeAsyncIterator()
        #expect(try await again.next()?.generation.isFinal == true)
    }

    @Test func firstUpdateOfGenerateHasTheId() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let seen = Collected<GenerationUpdate>()
        let prompt = ["A", "cat"].joined(separator: " ")
        let generation = try await client.generate(model: kimi, input: prompt) { seen.add($0) }
        let updates = await seen.first(3)
        #expect(updates.first?.generation.id == generation.id)
        #expect(updates.map(\.generation.status).changes == [.queued, .inProgress, .completed])
        #expect(updates.last?.generation == generation)
        _ = try await client.responses.create(model: kimi, input: prompt)
        for request in try await emulator.requests() where request["method"] == "POST" {
            #expect(request["body"]?["input"] == "A cat")
        }
    }

    @Test func callsHaveTheirOwnDeadline() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client { $0.polling.maxInterval = .milliseconds(20) }
        let id = try await emulator.addGeneration()
        let error = await failure {
            try await client.responses.wait(for: id, deadline: .seconds(3))
        }
        #expect(error?.kind == .waitTimeout && error?.last?.status == .inProgress)
        #expect(try #require(error?.polls) > 1)
        let updates = client.responses.updates(for: id, deadline: .milliseconds(50))
        let late = await failure { try await updates.reduce(0) { count, _ in count + 1 } }
        #expect(late?.kind == .waitTimeout)
    }

    @Test func budgetLeftCountsRequests() async throws {
        let emulator = try await Emulator.start()
        let limited = try emulator.client { $0.rateLimit = .requests(7, per: .seconds(60)) }
        #expect(limited.budgetLeft == 7)
        _ = try await limited.usage.retrieve()
        #expect(limited.budgetLeft == 6)
        #expect(try emulator.client().budgetLeft == nil)
    }

    @Test func userAgentNamesTheLibrary() async throws {
        let emulator = try await Emulator.start()
        _ = try await emulator.client().usage.retrieve()
        let agent = try await emulator.requests()[0]["headers"]?["user-agent"]?.stringValue
        #expect(agent?.hasPrefix("pipevideo-swift/") == true)
    }

    @MainActor
    @Test func updatesArriveOnTheActorOfTheCaller() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        var statuses: [Status] = []
        // The closure changes a variable of the main actor, which compiles only if it runs there.
        let generation = try await client.generate(model: kimi, input: "A cat") { update in
            MainActor.assertIsolated()
            statuses.append(update.generation.status)
        }
        #expect(statuses.changes == [.queued, .inProgress, .completed])
        statuses = []
        _ = try await client.responses.wait(for: generation.id) { update in
            MainActor.assertIsolated()
            statuses.append(update.generation.status)
        }
        #expect(statuses.changes == [.completed])
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        var progress: DownloadProgress?
        try await client.responses.download(generation, to: file) {
            MainActor.assertIsolated()
            progress = $0
        }
        #expect(progress != nil && progress?.downloaded == progress?.total)
    }

    @Test func failedCallHasReportedItsUpdates() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress", "failed"]])
        let client = try emulator.client()
        var statuses: [Status] = []
        do {
            _ = try await client.generate(model: kimi, input: "A cat") {
                statuses.append($0.generation.status)
            }
            Issue.record("it succeeded")
        } catch let error as PipevideoError {
            #expect(error.kind == .generationFailed)
        }
        #expect(statuses.changes == [.queued, .inProgress, .failed])
        // A call that fails before the native half has begun ends too.
        let error = await failure {
            try await client.responses.wait(for: "gen_1", deadline: .seconds(-1)) { _ in }
        }
        #expect(error?.kind == .invalidRequest)
    }

    #if os(Linux)
        /// The threads of the native library, with those that read files for other tests.
        private func nativeThreads() throws -> Int {
            let tasks = URL(filePath: "/proc/self/task")
            let threads = try FileManager.default.contentsOfDirectory(atPath: tasks.path)
            return threads.count { thread in
                let name = try? String(
                    contentsOf: tasks.appending(path: "\(thread)/comm"), encoding: .utf8)
                return name == "pipevideo\n"
            }
        }

        /// `Benchmarks/run.sh` measures all threads of a process that does nothing else.
        @Test func aThousandWaitsWithUpdatesNeedNoThreads() async throws {
            let emulator = try await Emulator.start(["polls": ["in_progress"]])
            let client = try emulator.client {
                $0.polling = Polling(minInterval: .seconds(3600), maxInterval: .seconds(3600))
            }
            let id = try await emulator.addGeneration()
            let seen = Collected<GenerationUpdate>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<1000 {
                    group.addTask {
                        _ = try await client.responses.wait(for: id) { seen.add($0) }
                    }
                }
                #expect(await seen.first(1000).count == 1000)
                #expect(try nativeThreads() < 100)
                try await emulator.settle(id, ["status": "completed"])
                client.webhooks.wake(generationID: id)
                try await group.waitForAll()
            }
        }
    #endif
}

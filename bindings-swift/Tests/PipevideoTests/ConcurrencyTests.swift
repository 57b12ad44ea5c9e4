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
        #expect(updates.map(\.generation.status) == [.queued, .inProgress, .completed])
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
            try await client.responses.wait(for: id, deadline: .seconds(1))
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

    @Test func slowUpdateFunctionDelaysItsOwnCallOnly() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let ids = [try await emulator.addGeneration(), try await emulator.addGeneration()]
        let (events, proceed) = (Collected<Bool>(), DispatchSemaphore(value: 0))
        let slow = Task {
            try await client.responses.wait(for: ids[0]) { update in
                guard update.generation.status == .queued else { return }
                events.add(true)
                // The timeout ends the test if the other wait is delayed too.
                events.add(proceed.wait(timeout: .now() + 20) == .success)
            }
        }
        #expect(await events.first(1) == [true])
        #expect(try await client.responses.wait(for: ids[1]).status == .completed)
        #expect(try await client.responses.wait(for: ids[0]).status == .completed)
        proceed.signal()
        #expect(try await slow.value.status == .completed)
        #expect(await events.first(2) == [true, true])
    }
}

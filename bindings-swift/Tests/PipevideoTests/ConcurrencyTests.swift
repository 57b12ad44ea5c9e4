import Foundation
import Pipevideo
import Testing

/// Many at once, and from everywhere.
@Suite(.timeLimit(.minutes(1))) struct ConcurrencyTests {
    @Test func twoHundredWaitsAtOnce() async throws {
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

    /// An actor that keeps a client, as an app's or a server's parts do.
    actor Studio {
        private let client: Pipevideo
        private(set) var made: [String] = []

        init(_ client: Pipevideo) {
            self.client = client
        }

        func make() async throws {
            made.append(try await client.generate(model: kimi, input: "A cat").id)
        }
    }

    @MainActor
    @Test func oneClientIsSharedBetweenActors() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let studios = [Studio(client), Studio(client), Studio(client)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for studio in studios {
                for _ in 0..<5 { group.addTask { try await studio.make() } }
            }
            try await group.waitForAll()
        }
        // From the main actor, too.
        let mine = try await client.generate(model: kimi, input: "A cat").id
        var all = [mine]
        for studio in studios { all += await studio.made }
        #expect(Set(all).count == 16)
    }

    @Test func updatesTellEachChangeOnceToEachLoop() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let id = try await emulator.addGeneration()
        var seen: [Status] = []
        for try await update in client.responses.updates(for: id) {
            seen.append(update.generation.status)
            #expect(update.via == .poll && update.expected > .zero)
        }
        #expect(seen == [.queued, .inProgress, .completed])
        // Another loop over the same sequence follows anew; one that has ended stays ended.
        let updates = client.responses.updates(for: id)
        var iterator = updates.makeAsyncIterator()
        #expect(try await iterator.next()?.generation.status == .completed)
        #expect(try await iterator.next() == nil)
        #expect(try await iterator.next() == nil)
        var again = updates.makeAsyncIterator()
        #expect(try await again.next()?.generation.isFinal == true)
    }

    @Test func generateTellsTheIdFirst() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let seen = Collected<Update>()
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

    @Test func theDeadlineIsTheCalls() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client(
            polling: Polling(minInterval: .zero, maxInterval: .milliseconds(20)))
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

    @Test func whatIsLeftOfTheBudgetIsTold() async throws {
        let emulator = try await Emulator.start()
        let limited = try Pipevideo(
            apiKey: emulator.apiKey, baseURL: emulator.baseURL,
            rateLimit: RateLimit(requests: 7, per: .seconds(60))
        )
        #expect(limited.budgetLeft == 7)
        _ = try await limited.usage.retrieve()
        #expect(limited.budgetLeft == 6)
        #expect(try emulator.client().budgetLeft == nil)
    }

    @Test func theServiceSeesWhoCalls() async throws {
        let emulator = try await Emulator.start()
        _ = try await emulator.client().usage.retrieve()
        let agent = try await emulator.requests()[0]["headers"]?["user-agent"]?.stringValue
        #expect(agent?.hasPrefix("pipevideo-swift/") == true)
    }

    /// An app's function that takes its time holds up its own call alone.
    @Test func aSlowFunctionHoldsUpNoOther() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let ids = [try await emulator.addGeneration(), try await emulator.addGeneration()]
        let (begun, goOn) = (Collected<Bool>(), DispatchSemaphore(value: 0))
        let slow = Task {
            try await client.responses.wait(for: ids[0]) { update in
                guard update.generation.status == .queued else { return }
                begun.add(true)
                // It ends by itself, too late, where it does hold up the others.
                begun.add(goOn.wait(timeout: .now() + 20) == .success)
            }
        }
        #expect(await begun.first(1) == [true])
        #expect(try await client.responses.wait(for: ids[1]).status == .completed)
        #expect(try await client.responses.wait(for: ids[0]).status == .completed)
        goOn.signal()
        #expect(try await slow.value.status == .completed)
        #expect(await begun.first(2) == [true, true])
    }
}

import Foundation
import Pipevideo
import Testing

/// Requests as values and as arguments.
@Suite(.timeLimit(.minutes(1))) struct RequestTests {
    /// The overloads list the same arguments, and each must pass on all of them.
    @Test func everyFormOfACallSendsTheSameRequest() async throws {
        let emulator = try await Emulator.start(["polls": ["completed"]])
        let client = try emulator.client()
        let request = GenerationRequest(
            model: kimi, input: "A cat", instructions: "Calm", width: 640, height: 480,
            aspectRatio: "4:3", provider: ["framerate"], engine: "lottie", expandPrompt: false,
            extraBody: ["seed": 7]
        )
        let prompt = ["A", "cat"].joined(separator: " ")
        _ = try await client.responses.create(request)
        _ = try await client.responses.create(
            model: kimi, input: "A cat", instructions: "Calm", width: 640, height: 480,
            aspectRatio: "4:3", provider: ["framerate"], engine: "lottie", expandPrompt: false,
            extraBody: ["seed": 7]
        )
        _ = try await client.responses.create(
            model: kimi, input: prompt, instructions: "Calm", width: 640, height: 480,
            aspectRatio: "4:3", provider: ["framerate"], engine: "lottie", expandPrompt: false,
            extraBody: ["seed": 7]
        )
        _ = try await client.generate(request)
        _ = try await client.generate(
            model: kimi, input: "A cat", instructions: "Calm", width: 640, height: 480,
            aspectRatio: "4:3", provider: ["framerate"], engine: "lottie", expandPrompt: false,
            extraBody: ["seed": 7]
        )
        _ = try await client.generate(
            model: kimi, input: prompt, instructions: "Calm", width: 640, height: 480,
            aspectRatio: "4:3", provider: ["framerate"], engine: "lottie", expandPrompt: false,
            extraBody: ["seed": 7]
        )
        let bodies = try await emulator.requests().filter { $0["method"] == "POST" }
            .map { $0["body"] ?? .null }
        #expect(bodies.count == 6 && Set(bodies).count == 1)
        #expect(bodies[0].members.count == 10 && bodies[0]["seed"] == 7)
    }

    /// The maximum cost is not in the request: a negative one shows whether it is passed on.
    @Test func everyFormOfACallPassesTheMaximumCost() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let prompt = ["A", "cat"].joined(separator: " ")
        let request = GenerationRequest(model: kimi, input: "A cat", maxCostUSD: -1)
        for error in [
            await failure { try await client.responses.create(request) },
            await failure {
                try await client.responses.create(model: kimi, input: "A cat", maxCostUSD: -1)
            },
            await failure {
                try await client.responses.create(model: kimi, input: prompt, maxCostUSD: -1)
            },
            await failure { try await client.generate(request) },
            await failure {
                try await client.generate(model: kimi, input: "A cat", maxCostUSD: -1)
            },
            await failure {
                try await client.generate(model: kimi, input: prompt, maxCostUSD: -1)
            },
            await failure {
                try await client.responses.create(model: kimi, input: prompt, maxCostUSD: .nan)
            },
        ] {
            #expect(error?.kind == .invalidRequest)
        }
        #expect(try await emulator.requests().isEmpty)
    }

    @Test func deadlineAndUpdatesArePassedOn() async throws {
        let emulator = try await Emulator.start(["polls": ["in_progress"]])
        let client = try emulator.client()
        let prompt = ["A", "cat"].joined(separator: " ")
        let seen = Collected<GenerationUpdate>()
        let literal = await failure {
            try await client.generate(
                model: kimi, input: "A cat", deadline: .milliseconds(50), onUpdate: { seen.add($0) }
            )
        }
        let variable = await failure {
            try await client.generate(
                model: kimi, input: prompt, deadline: .milliseconds(50), onUpdate: { seen.add($0) }
            )
        }
        #expect(literal?.kind == .waitTimeout && variable?.kind == .waitTimeout)
        #expect(Set(await seen.first(4).map(\.generation.id)).count == 2)
    }
}

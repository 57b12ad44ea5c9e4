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

    @Test func shortInitialisersMakeTheSameRequests() async throws {
        let prompt = ["A", "cat"].joined(separator: " ")
        let parts: [InputPart] = ["Make it walk", .image(url: "https://example.com/cat.png")]
        let requests = [
            GenerationRequest(model: kimi, prompt: prompt),
            GenerationRequest(model: kimi, parts: parts),
        ]
        #expect(requests[0] == GenerationRequest(model: kimi, input: "A cat"))
        #expect(requests[1] == GenerationRequest(model: kimi, input: .parts(parts)))
        let emulator = try await Emulator.start(["polls": ["completed"]])
        let client = try emulator.client()
        for request in requests { _ = try await client.generate(request) }
        let bodies = try await emulator.requests().filter { $0["method"] == "POST" }
            .map { $0["body"] ?? .null }
        #expect(bodies[0] == ["model": .string(kimi), "input": "A cat"])
        let content = bodies[1]["input"]?.elements.first?["content"]
        #expect(bodies[1]["model"] == .string(kimi) && bodies[1].members.count == 2)
        #expect(content?.elements.first?["text"] == "Make it walk")
        #expect(content?.elements.count == 2)
    }

    @Test func generationHasTheResponseOfItsCall() async throws {
        let emulator = try await Emulator.start(["polls": ["completed"]])
        let client = try emulator.client()
        let created = try await client.responses.create(model: kimi, input: "A cat")
        let generation = try await client.responses.retrieve(created.id)
        for answered in [created, generation] {
            let response = try #require(answered.response)
            #expect((200..<300).contains(response.status))
            #expect(response.headers["content-type"]?.hasPrefix("application/json") == true)
            #expect(response.requestID != nil)
            #expect(response.json?["id"] == .string(created.id))
            #expect(try JSONDecoder().decode(Generation.self, from: response.body) == answered)
            #expect("\(response)".contains(String(response.status)))
        }
        expectNoSecret(in: try #require(generation.response))
        // It is no part of the value.
        let copy = try JSONDecoder().decode(
            Generation.self, from: JSONEncoder().encode(generation))
        #expect(copy == generation && copy.response == nil)
        #expect(try await client.responses.wait(for: created.id).response == nil)
        let own = APIResponse(
            status: 204, headers: ["X-Tenant": "SECRET"], requestID: "req_1",
            body: Data(#"{"a":"SECRET"}"#.utf8))
        #expect(own.status == 204 && own.headers == ["x-tenant": "SECRET"])
        #expect(own.requestID == "req_1" && own.json == ["a": "SECRET"])
        expectNoSecret(in: own)
    }
}

import Foundation
import Pipevideo
import Testing

/// Errors and their fields.
@Suite(.timeLimit(.minutes(1))) struct ErrorTests {
    @Test func everyTextIsTheMessage() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let error = await failure {
            try await client.responses.retrieve("gen_none")
        }
        let found = try #require(error)
        #expect(found.kind == .notFound && found.status == 404 && found.generationID == "gen_none")
        #expect("\(found)" == found.message)
        let advice = try #require(found.recoverySuggestion)
        #expect(found.message == "\(found.localizedDescription) \(advice)")
        #expect(String(reflecting: found) == "PipevideoError(not_found: \(found.message))")
        #expect(found.requestID != nil && found.attempts == 1 && !found.isRetryable)
    }

    @Test func serviceMessageIsKeptApartFromTheMessage() async throws {
        let emulator = try await Emulator.start()
        try await emulator.addFault([
            "match": ["method": "POST", "path": "/v1/responses"],
            "status": 400, "body": ["message": "SECRET is not allowed"],
        ])
        let error = await failure {
            try await emulator.client().responses.create(model: kimi, input: "A cat")
        }
        #expect(error?.serviceMessage == "SECRET is not allowed")
        expectNoSecret(in: try #require(error))
    }

    @Test func uncertainCreateHasCandidates() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        try await emulator.addFault([
            "match": ["method": "POST", "path": "/v1/responses"], "drop": "after_reading",
        ])
        let error = await failure {
            try await client.generate(model: "moonshotai/kimi-k2.5", input: "A cat")
        }
        let uncertain = try #require(error)
        #expect(uncertain.kind == .submissionUncertain && uncertain.model == "moonshotai/kimi-k2.5")
        #expect((uncertain.cause as? PipevideoError)?.kind == .connection)
        #expect(uncertain.recoverySuggestion?.contains("candidates(for:)") == true)
        #expect(!uncertain.message.contains("reconcile"))
        #expect(abs(try #require(uncertain.sentAt).timeIntervalSinceNow) < 60)
        let candidates = try await client.responses.candidates(for: uncertain)
        #expect(candidates.count == 1)
        #expect(try await client.responses.wait(for: candidates[0].id).status == .completed)
        let posts = try await emulator.requests().filter { $0["method"] == "POST" }
        #expect(posts.count == 1)

        let other = await failure {
            try await client.responses.retrieve("")
        }
        let refused = await failure {
            try await client.responses.candidates(for: try #require(other))
        }
        #expect(refused?.kind == .invalidRequest)
    }

    /// A client of an address where nothing listens.
    private func unreachableClient() throws -> PipevideoClient {
        try PipevideoClient(
            apiKey: "k", configuration: .init(baseURL: "http://127.0.0.1:1", maxRetries: 0))
    }

    @Test func invalidOptionsAreRefused() throws {
        func refusal(
            _ apiKey: String = "k", _ configure: (inout PipevideoClient.Configuration) -> Void
        ) -> PipevideoError? {
            var configuration = PipevideoClient.Configuration()
            configure(&configuration)
            return failure {
                try PipevideoClient(apiKey: apiKey, configuration: configuration)
            }
        }
        let certificates = "/etc/ssl/certs/ca-certificates.crt"
        let errors = [
            refusal("") { _ in },
            refusal { $0.baseURL = "not a URL" },
            refusal { $0.requestTimeout = .seconds(-1) },
            refusal { $0.requestTimeout = .zero },
            refusal { $0.maxRetries = -1 },
            refusal { $0.rateLimit = .requests(0, per: .seconds(1)) },
            refusal { $0.rateLimit = .requests(-1, per: .seconds(1)) },
            refusal { $0.polling.typical = .seconds(-1) },
            refusal { $0.webhookSecrets = ["no base64!"] },
            refusal { $0.app.url = "ftp://x" },
            refusal { $0.headers = ["a b": "c"] },
            refusal { $0.headers = ["a": "c\n"] },
            refusal { $0.spendLimit = -1 },
            refusal { $0.spendLimit = .nan },
            refusal { $0.proxy = "::" },
            refusal { $0.caFile = URL(filePath: "/nowhere") },
            refusal { $0.caFile = URL(string: "https://a.b\(certificates)")! },
        ]
        for error in errors { #expect(error?.kind == .configuration && error?.attempts == 0) }
    }

    @Test func invalidArgumentsAreRefused() async throws {
        let client = try unreachableClient()
        let responses = client.responses
        let errors = [
            await failure { try await responses.create(model: "", input: "A cat") },
            await failure { try await responses.create(model: kimi, input: "") },
            await failure {
                try await responses.create(model: kimi, input: [.image(url: "https://a.b")])
            },
            await failure {
                try await responses.create(
                    model: kimi, input: ["A cat", .image(file: URL(filePath: "/nowhere.png"))])
            },
            await failure {
                try await responses.create(
                    model: kimi, input: [.text("A"), .image(data: Data("no".utf8))])
            },
            await failure {
                let item = InputItem(role: Role(rawValue: "judge"), content: [.text("A cat")])
                return try await responses.create(model: kimi, input: .items([item]))
            },
            await failure {
                try await responses.create(model: kimi, input: "A", extraBody: ["x": .double(.nan)])
            },
            await failure { try await responses.wait(for: "gen_1", deadline: .seconds(-1)) },
            await failure { try await responses.retrieve("") },
            await failure {
                try await responses.download("gen_1", to: URL(string: "https://a.b/c")!)
            },
        ]
        for error in errors { #expect(error?.kind == .invalidRequest && error?.attempts == 0) }
    }

    /// The path of a remote URL may be that of a local file, which must not be sent by mistake.
    @Test func remoteURLIsNotReadAsAFile() async throws {
        let emulator = try await Emulator.start()
        let responses = try emulator.client().responses
        let path = Repository.root.appending(path: "emulator/assets/video.mp4").path
        let elsewhere = try #require(URL(string: "https://example.com\(path)?sig=SECRET"))
        let item = InputItem(role: .user, content: ["A cat", .video(file: elsewhere)])
        for input: Input in [["A cat", .image(file: elsewhere)], .items([item])] {
            let error = await failure { try await responses.create(model: kimi, input: input) }
            #expect(error?.kind == .invalidRequest && error?.message.contains("SECRET") == false)
            #expect(error?.message.contains("(file:)") == true)
        }
        #expect(try await emulator.requestCount() == 0)
    }

    @Test func valuesOutOfRangeAreRefused() async throws {
        let client = try unreachableClient()
        // More than UniFFI can pass. The pages are never touched, so this costs no memory.
        let data = Data(count: Int(Int32.max) + 1)
        let large = await failure {
            try await client.responses.create(model: kimi, input: ["A cat", .image(data: data)])
        }
        #expect(large?.kind == .invalidRequest && large?.message.contains("larger") == true)

        let forever = Duration.seconds(Int64.max) + .seconds(Int64.max)
        _ = try PipevideoClient(
            apiKey: "k",
            configuration: .init(
                requestTimeout: forever, polling: Polling(typical: forever), deadline: forever
            )
        )
        let error = await failure {
            try await client.responses.wait(for: "gen_1", deadline: .zero - forever)
        }
        #expect(error?.kind == .invalidRequest)
        let nan: [String: JSONValue] = ["seed": .double(.nan)]
        let infinite = await failure {
            try await client.responses.create(model: kimi, input: "A", extraBody: nan)
        }
        #expect(infinite?.message.contains("not finite") == true)
        let provider = await failure {
            try await client.responses.create(model: kimi, input: "A", provider: .object(nan))
        }
        #expect(provider?.message.contains("not finite") == true)
    }

    @Test func errorOfAFailedGenerationHasTheGeneration() async throws {
        let emulator = try await Emulator.start()
        let id = try await emulator.addGeneration(["polls": ["in_progress"]])
        try await emulator.settle(
            id, ["status": "failed", "error": ["code": "invalid_prompt", "message": "SECRET"]]
        )
        let error = await failure {
            try await emulator.client().responses.wait(for: id)
        }
        #expect(error?.kind == .generationFailed && error?.category == .invalidPrompt)
        #expect(error?.generation?.error?.message == "SECRET")
        expectNoSecret(in: try #require(error))
    }

    @Test func eachKindHasACodeOfItsOwn() throws {
        let kinds = try Repository.json("conformance/surface.json")["error_kinds"]?.elements ?? []
        let codes = kinds.map { kind in
            let kind = PipevideoError.Kind(rawValue: kind["name"]?.stringValue ?? "")
            let error = PipevideoError(kind, "x") as NSError
            #expect(error.domain == PipevideoError.errorDomain && error.code != 0, "\(kind)")
            return error.code
        }
        #expect(codes.count > 15 && Set(codes).count == codes.count)
        #expect((PipevideoError(.configuration, "x") as NSError).code == 1)
        #expect((PipevideoError(.init(rawValue: "new"), "x") as NSError).code == 0)
    }

    @Test func errorsAreEqualByTheirProperties() {
        let error = PipevideoError(
            .rateLimited, "Too many.", recoverySuggestion: "Wait.", status: 429,
            retryAfter: .seconds(3), cause: CancellationError())
        #expect(error.message == "Too many. Wait." && error.errorDescription == "Too many.")
        #expect(error.recoverySuggestion == "Wait.")
        #expect(
            error
                == PipevideoError(
                    .rateLimited, "Too many.", recoverySuggestion: "Wait.", status: 429,
                    retryAfter: .seconds(3)))
        #expect(error != PipevideoError(.rateLimited, "Too many.", recoverySuggestion: "Wait."))
    }
}

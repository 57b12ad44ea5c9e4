import Foundation
import Pipevideo
import Testing

/// The error of a call that has to fail.
func failure(
    at location: SourceLocation = #_sourceLocation, of call: () async throws -> Any
) async -> PipevideoError? {
    do {
        Issue.record("it succeeded: \(try await call())", sourceLocation: location)
    } catch let error as PipevideoError {
        return error
    } catch {
        Issue.record(error, sourceLocation: location)
    }
    return nil
}

/// The error of a call that has to fail at once.
func failure(
    at location: SourceLocation = #_sourceLocation, of call: () throws -> Any
) -> PipevideoError? {
    do {
        Issue.record("it succeeded: \(try call())", sourceLocation: location)
    } catch let error as PipevideoError {
        return error
    } catch {
        Issue.record(error, sourceLocation: location)
    }
    return nil
}

/// Errors, as Swift has them.
@Suite(.timeLimit(.minutes(1))) struct ErrorTests {
    @Test func theTextIsTheCores() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let error = await failure {
            try await client.responses.retrieve("gen_none")
        }
        let found = try #require(error)
        #expect(found.kind == .notFound && found.status == 404 && found.generationID == "gen_none")
        #expect(found.localizedDescription == found.message && "\(found)" == found.message)
        #expect(String(reflecting: found) == "PipevideoError(not_found: \(found.message))")
        #expect(found.requestID != nil && found.attempts == 1 && !found.retryable)
    }

    @Test func anUncertainCreateIsReconciled() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        try await emulator.fault([
            "match": ["method": "POST", "path": "/v1/responses"], "drop": "after_reading",
        ])
        let error = await failure {
            try await client.generate(model: "moonshotai/kimi-k2.5", input: "A cat")
        }
        let uncertain = try #require(error)
        #expect(uncertain.kind == .submissionUncertain && uncertain.model == "moonshotai/kimi-k2.5")
        #expect((uncertain.cause as? PipevideoError)?.kind == .connection)
        #expect(abs(try #require(uncertain.sentAt).timeIntervalSinceNow) < 60)
        let candidates = try await client.responses.reconcile(uncertain)
        #expect(candidates.count == 1)
        #expect(try await client.responses.wait(for: candidates[0].id).status == .completed)
        let posts = try await emulator.requests().filter { $0["method"] == "POST" }
        #expect(posts.count == 1)

        let other = await failure {
            try await client.responses.retrieve("")
        }
        let refused = await failure {
            try await client.responses.reconcile(try #require(other))
        }
        #expect(refused?.kind == .invalidRequest)
    }

    @Test func whatIsNoOptionIsSaid() throws {
        func kind(_ client: @autoclosure () throws -> Pipevideo) -> PipevideoError? {
            failure { try client() }
        }
        let certificates = "/etc/ssl/certs/ca-certificates.crt"
        let refused = [
            kind(try Pipevideo(apiKey: "")),
            kind(try Pipevideo(apiKey: "k", baseURL: "not a URL")),
            kind(try Pipevideo(apiKey: "k", requestTimeout: .seconds(-1))),
            kind(try Pipevideo(apiKey: "k", requestTimeout: .zero)),
            kind(try Pipevideo(apiKey: "k", maxRetries: -1)),
            kind(try Pipevideo(apiKey: "k", rateLimit: RateLimit(requests: 0, per: .seconds(1)))),
            kind(try Pipevideo(apiKey: "k", rateLimit: RateLimit(requests: -1, per: .seconds(1)))),
            kind(try Pipevideo(apiKey: "k", polling: Polling(typical: .seconds(-1)))),
            kind(try Pipevideo(apiKey: "k", webhookSecrets: ["no base64!"])),
            kind(try Pipevideo(apiKey: "k", app: AppIdentity(url: "ftp://x"))),
            kind(try Pipevideo(apiKey: "k", headers: ["a b": "c"])),
            kind(try Pipevideo(apiKey: "k", headers: ["a": "c\n"])),
            kind(try Pipevideo(apiKey: "k", proxy: "::")),
            kind(try Pipevideo(apiKey: "k", caFile: URL(filePath: "/nowhere"))),
            kind(try Pipevideo(apiKey: "k", caFile: URL(string: "https://a.b\(certificates)")!)),
        ]
        for error in refused { #expect(error?.kind == .configuration && error?.attempts == 0) }
    }

    @Test func whatIsNoArgumentIsSaid() async throws {
        let client = try Pipevideo(apiKey: "k", baseURL: "http://127.0.0.1:1", maxRetries: 0)
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

    /// The path of a URL that is no file's may be that of a file here.
    @Test func onlyAFilesURLIsAFile() async throws {
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
        #expect(try await emulator.count() == 0)
    }

    @Test func whatIsTooLargeIsSaid() async throws {
        let client = try Pipevideo(apiKey: "k", baseURL: "http://127.0.0.1:1", maxRetries: 0)
        // More than crosses the border: no page of it is touched.
        let data = Data(count: Int(Int32.max) + 1)
        let large = await failure {
            try await client.responses.create(model: kimi, input: ["A cat", .image(data: data)])
        }
        #expect(large?.kind == .invalidRequest && large?.message.contains("larger") == true)

        let forever = Duration.seconds(Int64.max) + .seconds(Int64.max)
        _ = try Pipevideo(
            apiKey: "k", requestTimeout: forever, polling: Polling(typical: forever),
            deadline: forever)
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

    @Test func aFailedGenerationIsInItsError() async throws {
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
        #expect(error.map { "\($0) \(String(reflecting: $0))".contains("SECRET") } == false)
    }
}

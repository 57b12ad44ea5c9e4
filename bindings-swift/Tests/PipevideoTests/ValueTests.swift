import Foundation
import Pipevideo
import Testing

/// Generations and other values: their fields, `Codable`, equality and printing.
@Suite struct ValueTests {
    static let full = """
        {"id":"gen_1","object":"response","status":"completed","model":"moonshotai/kimi-k2.5",\
        "engine":null,"provider":"framerate","created_at":1709827200,"latency_ms":45000,\
        "output":[{"type":"message","content":[]}],"output_video_url":"https://v.example/1?sig=SECRET",\
        "usage":{"prompt_tokens":12,"completion_tokens":3400,"cost_usd":0.12345678901234567890,"tier":null},\
        "error":null,"colour":{"deep":[1,2.5,true,null,"é"]},"huge":1e300}
        """

    func generation(_ text: String = full) throws -> Generation {
        try JSONDecoder().decode(Generation.self, from: Data(text.utf8))
    }

    @Test func fieldsAreDecodedExactly() throws {
        let generation = try generation()
        #expect(generation.id == "gen_1" && generation.status == .completed && generation.isFinal)
        #expect(generation.createdAt == Date(timeIntervalSince1970: 1_709_827_200))
        #expect(generation.outputVideoURL == URL(string: "https://v.example/1?sig=SECRET"))
        #expect(generation.engine == nil && generation.latency == .seconds(45))
        #expect(generation.usage?.inputTokens == 12 && generation.usage?.outputTokens == 3400)
        #expect(generation.usage?.costUSD == Decimal(string: "0.12345678901234567890"))
        #expect(generation.extra["colour"]?["deep"] == [1, 2.5, true, nil, "é"])
        #expect(generation.extra["huge"] == .double(1e300))
        #expect(generation.output == [["type": "message", "content": []]])
    }

    @Test func encodingKeepsEveryField() throws {
        let generation = try generation()
        for encoder in [JSONEncoder(), snakeCased()] {
            let data = try encoder.encode(generation)
            let again = try JSONDecoder().decode(Generation.self, from: data)
            #expect(again == generation && again.hashValue == generation.hashValue)
            let members = try JSONDecoder().decode(JSONValue.self, from: data).members
            // Null and absent are equal, but encoding keeps the difference.
            #expect(members["engine"] == .null && members["width"] == nil)
            #expect(members["object"] == "response" && members["output_video_url"] != nil)
            #expect(
                members["usage"]?["cost_usd"] == .number(Decimal(string: "0.1234567890123456789")!))
        }
        for format in [PropertyListSerialization.PropertyListFormat.xml, .binary] {
            let encoder = PropertyListEncoder()
            encoder.outputFormat = format
            let again = try PropertyListDecoder().decode(
                Generation.self, from: encoder.encode(generation))
            #expect(again == generation && again.hashValue == generation.hashValue)
            #expect(again.createdAt == generation.createdAt && again.latency == generation.latency)
            #expect(
                again.usage?.costUSD == generation.usage?.costUSD && again.usage?.inputTokens == 12)
            #expect(again.extra == generation.extra && wireJSON(again) == wireJSON(generation))
        }
    }

    @Test func estimatesAndSpendAreExactAndCodable() async throws {
        let emulator = try await Emulator.start(["api_key": "pv_swift_values"])
        var configuration = emulator.configuration()
        configuration.spendLimit = Decimal(string: "12345678901234567890.123456789")
        #expect("\(configuration)".contains("spendLimit: 12345678901234567890.123456789"))
        let client = try PipevideoClient(apiKey: emulator.apiKey, configuration: configuration)
        let generation = try await client.generate(model: kimi, input: "A cat")
        let cost = try #require(generation.usage?.costUSD)
        let estimate = try await client.estimate(model: kimi, engine: "hyperframes", count: 3)
        #expect(estimate.costUSD == cost * 3 && estimate.basedOn == .seen && estimate.samples == 1)
        let spend = client.spend
        #expect(spend.spent == cost && spend.limit == configuration.spendLimit)
        #expect(spend.remaining == configuration.spendLimit.map { $0 - cost })
        let data = try JSONEncoder().encode(estimate)
        #expect(try JSONDecoder().decode(CostEstimate.self, from: data) == estimate)
        let spent = try JSONEncoder().encode(spend)
        #expect(try JSONDecoder().decode(Spend.self, from: spent).inFlightCount == 0)
        for count in [0, -1, Int.min] {
            let error = await failure { try await client.estimate(model: kimi, count: count) }
            #expect(error?.kind == .invalidRequest)
        }
    }

    private func snakeCased() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        return encoder
    }

    @Test func timesAreEncodedAsTheyWereDecoded() throws {
        for written in [
            "0", "1709827200", "1709827200.5", "1709827200.123", "1709827200.999999",
            "253402300799", "9223372036854775807", "18446744073709551615", "-1", "1e300",
        ] {
            let text = #"{"id":"gen_1","status":"completed","created_at":\#(written)}"#
            let generation = try generation(text)
            let again = String(decoding: try JSONEncoder().encode(generation), as: UTF8.self)
            #expect(try self.generation(again) == generation, "\(again)")
            let kept = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
            #expect(wireJSON(generation)["created_at"] == kept["created_at"], "\(again)")
        }
    }

    @Test func equalityAndHashCompareValues() throws {
        let one = try generation(#"{"id":"gen_1","status":"queued","model":null}"#)
        let same = try generation(#"{"status":"queued","id":"gen_1"}"#)
        let other = try generation(#"{"status":"queued","id":"gen_1","x":1}"#)
        #expect(one == same && Set([one, same, other]).count == 2)
        #expect(one.status != .failed && !one.isFinal)
    }

    @Test(arguments: [
        "5.0", "1.10", "1e2", "-0", "-0.0", "0.1", "1e-7", "9007199254740993", "5e-324", "1e130",
        "-1e300", "1e-200", "18446744073709551615", "123456789012345678901234567890.5",
        "[5.0, null]",
    ])
    func numbersAreEqualAfterARoundTrip(_ number: String) throws {
        let text = """
            {"id":"gen_1","status":"failed","n":\(number),"output":\(number),"created_at":5.0,\
            "usage":{"cost_usd":1.10,"n":\(number)},"error":{"code":"e","n":\(number)}}
            """
        let generation = try generation(text)
        let json = try self.generation(
            String(decoding: try JSONEncoder().encode(generation), as: UTF8.self))
        let list = try PropertyListDecoder().decode(
            Generation.self, from: PropertyListEncoder().encode(generation))
        for again in [json, list] {
            #expect(again == generation && again.hashValue == generation.hashValue)
            #expect(Set([again, generation]).count == 1 && again.createdAt == generation.createdAt)
            #expect(again.usage == generation.usage && again.usage?.costUSD == 1.1)
            #expect(again.error == generation.error)
        }
    }

    @Test func equalityComparesEveryField() throws {
        var fields = try JSONDecoder().decode(JSONValue.self, from: Data(Self.full.utf8)).members
        fields["error"] = ["code": "e", "message": "m"]
        let whole = try JSONDecoder().decode(
            Generation.self, from: JSONEncoder().encode(JSONValue.object(fields)))
        func without(_ fields: [String: JSONValue]) throws -> Generation {
            try JSONDecoder().decode(
                Generation.self, from: JSONEncoder().encode(JSONValue.object(fields)))
        }
        for name in fields.keys where name != "id" && name != "status" && fields[name] != .null {
            #expect(try without(fields.filter { $0.key != name }) != whole, "\(name)")
        }
        for group in ["usage", "error"] {
            for (name, value) in fields[group]?.members ?? [:] where value != .null {
                var less = fields
                less[group] = .object(fields[group]!.members.filter { $0.key != name })
                #expect(try without(less) != whole, "\(group).\(name)")
            }
        }
    }

    @Test func decodingIsLenientExceptForTheId() throws {
        let odd = try generation(
            #"{"id":"gen_1","status":"pending","created_at":"soon","usage":7}"#)
        #expect(odd.status == .queued && odd.createdAt == nil && odd.usage == nil)
        #expect(odd.extra["created_at"] == "soon" && odd.extra["usage"] == 7)
        let unknown = try generation(#"{"id":"gen_1","status":"dreaming"}"#)
        #expect(unknown.status == Status(rawValue: "dreaming") && !unknown.isFinal)
        for none in ["{}", "[]", "null", "7", #"{"id":"","status":"queued"}"#] {
            #expect(throws: DecodingError.self) { try generation(none) }
        }
    }

    @Test func printingShowsFieldsButNoSecret() throws {
        let generation = try generation()
        #expect("\(generation)".contains("gen_1"))
        let failed = try self.generation(
            #"{"id":"gen_1","status":"failed","error":{"code":"e","message":"SECRET prompt"}}"#
        )
        #expect(failed.error?.message == "SECRET prompt")
        let failure = try #require(failed.error)
        let usage = try #require(generation.usage)
        #expect(
            "\(failure)"
                == #"GenerationError(category: invalid_prompt, code: "e", message: hidden)"#)
        #expect(
            "\(usage)".hasPrefix("TokenUsage(inputTokens: 12, outputTokens: 3400, costUSD: 0.12"))
        for value in [generation, failed, failure, usage] as [Any] { expectNoSecret(in: value) }
    }

    @Test func printingARequestOrAConfigurationShowsNoSecret() {
        let request = GenerationRequest(
            model: kimi, input: "SECRET", instructions: "SECRET", aspectRatio: "16:9",
            extraBody: ["user": "SECRET"])
        #expect("\(request)".contains(#"aspectRatio: "16:9""#))
        let configuration = PipevideoClient.Configuration(
            requestTimeout: .seconds(5), rateLimit: .requests(50, per: .seconds(60)),
            webhookSecrets: ["whsec_SECRET"], headers: ["x-token": "SECRET"],
            proxy: "http://user:SECRET@proxy:8080")
        #expect("\(configuration)".contains("requestTimeout: 5.0 seconds"))
        #expect("\(configuration)".contains("rateLimit: 50 requests per 60.0 seconds"))
        #expect("\(configuration)".contains(#"headers: ["x-token"]"#))
        let part: InputPart = .image(url: "https://example.com/cat.png?sig=SECRET")
        let item = InputItem(role: .user, content: ["SECRET", part])
        for value in [request, request.input, part, item, configuration] as [Any] {
            expectNoSecret(in: value)
        }
    }

    @Test func printingTheCatalogShowsModelsAndRates() throws {
        let json = #"{"engines":[{"id":"e","models":[{"id":"m","input":"0.60"}]}],"x":"SECRET"}"#
        let catalog = try JSONDecoder().decode(EngineCatalog.self, from: Data(json.utf8))
        #expect("\(catalog)".contains(#"id: "m", inputPerMillionUSD: Optional(0.6)"#))
        expectNoSecret(in: catalog)
        let usageJSON = #"{"credit_balance":1250.5,"x":"SECRET"}"#
        let usage = try JSONDecoder().decode(AccountUsage.self, from: Data(usageJSON.utf8))
        #expect("\(usage)".contains("creditBalanceUSD: 12.505"))
        expectNoSecret(in: usage)
    }

    @Test(arguments: [
        ("https://v.example/1?sig=a%2Fb%3D", "https://v.example/1?sig=a%2Fb%3D"),
        ("https://v.example/1?sig=a%2Fb%3D|x", "https://v.example/1?sig=a%2Fb%3D%7Cx"),
        (
            "https://v.example/ü 1?x=%7B%22a%22%7D&z={a}[b]",
            "https://v.example/%C3%BC%201?x=%7B%22a%22%7D&z=%7Ba%7D%5Bb%5D"
        ),
        ("https://v.example/1?sig=a%2Fb%", "https://v.example/1?sig=a%252Fb%25"),
        ("", nil),
    ])
    func signedURLStaysUnchanged(_ written: String, _ expected: String?) throws {
        let text = #"{"id":"gen_1","status":"completed","output_video_url":"\#(written)"}"#
        #expect(try generation(text).outputVideoURL?.absoluteString == expected)
    }

    @Test func otherValuesAreCodable() throws {
        func checkRoundTrip<Value: Codable & Equatable>(_ value: Value) throws {
            let data = try JSONEncoder().encode(value)
            #expect(try JSONDecoder().decode(Value.self, from: data) == value)
            let list = try PropertyListEncoder().encode([value])
            #expect(try PropertyListDecoder().decode([Value].self, from: list) == [value])
        }
        let generation = try generation()
        try checkRoundTrip(try #require(generation.usage))
        try checkRoundTrip(
            try JSONDecoder().decode(
                GenerationError.self, from: Data(#"{"code":"render_failed","hint":[1]}"#.utf8)
            )
        )
        let catalog = try JSONDecoder().decode(
            EngineCatalog.self,
            from: Data(#"{"engines":[{"id":"e","models":[{"id":"m","input":"0.60"}]}],"x":1}"#.utf8)
        )
        #expect(catalog.engines[0].models[0].inputPerMillionUSD == Decimal(string: "0.6"))
        try checkRoundTrip(catalog)
        try checkRoundTrip(catalog.engines)
        let usage = try JSONDecoder().decode(
            AccountUsage.self,
            from: Data(
                """
                {"credit_balance":1250.5,"totals":{"total_requests":3},"recent_requests":[{"id":"gen_1",\
                "status":"queued","cost_cents":"0.1","created_at":1709827200123}],"new":true}
                """.utf8
            )
        )
        #expect(usage.creditBalanceUSD == Decimal(string: "12.505") && usage.raw["new"] == true)
        try checkRoundTrip(usage)
        try checkRoundTrip(usage.recentRequests)
        try checkRoundTrip(usage.totals)
        try checkRoundTrip(PipevideoError.Kind.rateLimited)
    }

    /// Coders with each strategy of keys: none may lose a field.
    static let coders: [(JSONEncoder, JSONDecoder)] = [false, true].flatMap { encodes in
        [false, true].map { decodes in
            let (encoder, decoder) = (JSONEncoder(), JSONDecoder())
            if encodes { encoder.keyEncodingStrategy = .convertToSnakeCase }
            if decodes { decoder.keyDecodingStrategy = .convertFromSnakeCase }
            return (encoder, decoder)
        }
    }

    /// Checks that the value is equal after a round trip, and that its JSON has these members.
    private func expectRoundTrip<Value: Codable & Equatable>(
        _ value: Value, _ members: [String], at location: SourceLocation = #_sourceLocation
    ) throws {
        for (encoder, decoder) in Self.coders {
            let data = try encoder.encode([value])
            #expect(
                try decoder.decode([Value].self, from: data) == [value], sourceLocation: location)
            let json = try JSONDecoder().decode([[String: JSONValue]].self, from: data)[0]
            #expect(Set(json.keys) == Set(members), sourceLocation: location)
            #expect(!json.values.contains(.null), sourceLocation: location)
        }
        let list = try PropertyListEncoder().encode([value])
        #expect(
            try PropertyListDecoder().decode([Value].self, from: list) == [value],
            sourceLocation: location)
    }

    @Test func noStrategyOfACoderLosesAField() throws {
        let date = Date(timeIntervalSince1970: 1_709_827_200.123)
        let generation = Generation(
            id: "gen_1", status: .failed, model: kimi, engine: "lottie", provider: "framerate",
            createdAt: Date(timeIntervalSince1970: 1_709_827_200),
            outputVideoURL: URL(string: "https://v.example/1"),
            usage: TokenUsage(inputTokens: 1, outputTokens: 2, totalTokens: 3, costUSD: 0.5),
            error: GenerationError(code: "e", message: "m"), latency: .milliseconds(1500),
            output: ["x"], extra: ["camelCase_and_snake": 1]
        )
        #expect(generation.usage?.costUSD == 0.5 && generation.latency == .milliseconds(1500))
        try expectRoundTrip(
            generation,
            [
                "id", "status", "model", "engine", "provider", "created_at", "output_video_url",
                "usage", "error", "latency_ms", "output", "camelCase_and_snake",
            ])
        try expectRoundTrip(
            GenerationUpdate(
                generation: generation, elapsed: .milliseconds(20500), expected: .seconds(90),
                progress: 0.1, via: .webhook),
            ["generation", "elapsed", "expected", "progress", "via"])
        let counts = ["request_count", "completed_count", "failed_count", "total_cost_cents"]
        try expectRoundTrip(
            UsageTotals(
                totalRequests: 3, completedRequests: 2, failedRequests: 1, totalCostUSD: 1.25),
            ["total_requests", "completed_requests", "failed_requests", "total_cost_cents"])
        try expectRoundTrip(
            DailyUsage(
                date: "2026-01-01", requestCount: 1, completedCount: 2, failedCount: 3,
                totalCostUSD: 4, totalDuration: .seconds(12.3)),
            counts + ["date", "total_duration_seconds"])
        let route = RouteUsage(
            engine: "lottie", model: kimi, provider: "framerate", requestCount: 1,
            completedCount: 2, failedCount: 3, totalCostUSD: 4, totalPromptTokens: 5,
            totalCompletionTokens: 6, averageLatency: .milliseconds(1234))
        try expectRoundTrip(
            route,
            counts + [
                "engine", "model", "provider", "total_prompt_tokens", "total_completion_tokens",
                "avg_latency_ms",
            ])
        try expectRoundTrip(
            DailyRoutes(date: "2026-01-01", routes: [route]), ["date", "routes"])
        let request = RecentRequest(
            id: "gen_1", status: .completed, modelName: kimi, engine: "lottie", costUSD: 0.001,
            latency: .seconds(45), createdAt: date, completedAt: date)
        let recent = [
            "id", "status", "model_name", "engine", "cost_cents", "latency_ms", "created_at",
            "completed_at",
        ]
        try expectRoundTrip(request, recent)
        let json = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
        #expect(json.contains(#""created_at":1709827200123"#) && json.contains("cost_cents\":0.1"))
        try expectRoundTrip(
            Candidate(
                request, isSameModel: false, timeAfterCreate: .milliseconds(-250),
                wasKnownBefore: true),
            recent + ["same_model", "seconds_after_create", "known_before"])
        try expectRoundTrip(
            AccountUsage(
                creditBalanceUSD: 12.5, totals: UsageTotals(totalRequests: 1),
                dailyUsageByRoute: [DailyRoutes(date: "2026-01-01", routes: [route])],
                recentRequests: [request]),
            [
                "credit_balance", "totals", "daily_usage", "daily_usage_by_route",
                "recent_requests",
            ])
        let model = EngineModel(id: kimi, inputPerMillionUSD: 0.6, outputPerMillionUSD: 2.5)
        try expectRoundTrip(model, ["id", "input_per_million", "output_per_million"])
        try expectRoundTrip(Engine(id: "lottie", models: [model]), ["id", "models"])
        try expectRoundTrip(
            EngineCatalog(engines: [Engine(id: "lottie", models: [model])]), ["engines"])
        try expectRoundTrip(
            CostEstimate(costUSD: 1.5, low: 1, high: 2, basedOn: .rates, samples: 3),
            ["cost_usd", "low", "high", "based_on", "samples"])
        try expectRoundTrip(
            Spend(
                spent: 1, failedButCharged: 2, inFlight: 3, uncertain: 4, limit: 5, remaining: 6,
                inFlightCount: 7, uncertainCount: 8, unknownCount: 9),
            [
                "spent", "failed_but_charged", "in_flight", "uncertain", "limit", "remaining",
                "in_flight_count", "uncertain_count", "unknown_count",
            ])
        try expectRoundTrip(
            WebhookEvent(
                id: "msg_1", timestamp: Date(timeIntervalSince1970: 1_709_827_200),
                type: "video.generation.completed", generationID: "gen_1", status: .failed,
                outputVideoURL: URL(string: "https://v.example/1?sig=x"), errorMessage: "m",
                isDuplicate: true, extra: ["new_field": 1]),
            [
                "eventType", "generationId", "status", "outputUrl", "errorMessage", "new_field",
                "_delivery",
            ])
    }

    @Test func deliveryBodyAndServiceElementsAreDecoded() throws {
        for (_, decoder) in Self.coders {
            let event = try decoder.decode(
                WebhookEvent.self,
                from: Data(
                    """
                    {"eventType":"video.generation.completed","generationId":"gen_1",\
                    "status":"completed","outputUrl":"https://v.example/1","errorMessage":null}
                    """.utf8))
            #expect(event.generationID == "gen_1" && event.status == .completed)
            #expect(event.outputVideoURL == URL(string: "https://v.example/1"))
            #expect(event.id.isEmpty && !event.isDuplicate && event.errorMessage == nil)
            let request = try decoder.decode(
                RecentRequest.self,
                from: Data(
                    """
                    {"id":"gen_1","status":"completed","model_name":"lab/m","cost_cents":12.5,\
                    "latency_ms":45000,"created_at":1709827200123}
                    """.utf8))
            #expect(request.modelName == "lab/m" && request.costUSD == 0.125)
            #expect(request.latency == .seconds(45))
            #expect(request.createdAt == Date(timeIntervalSince1970: 1_709_827_200.123))
        }
        for none in ["{}", "[]", "7"] {
            let data = Data(none.utf8)
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(WebhookEvent.self, from: data)
            }
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(RecentRequest.self, from: data)
            }
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(GenerationUpdate.self, from: data)
            }
        }
    }

    @Test func equalityIgnoresTheSignature() throws {
        func signed(_ url: String) -> Generation {
            Generation(id: "gen_1", status: .completed, outputVideoURL: URL(string: url))
        }
        let one = signed("https://v.example/1?sig=a")
        let again = signed("https://v.example/1?sig=b")
        #expect(one == again && Set([one, again]).count == 1)
        #expect(one != signed("https://v.example/2?sig=a"))
        #expect(one.outputVideoURL != again.outputVideoURL)
    }

    @Test func jsonValueIsEqualAfterARoundTrip() throws {
        let text = #"{"a":[null,true,1,-2.50,18446744073709551615,"x"],"b":{}}"#
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(
            value["a"] == [
                nil, true, 1, -2.5, .number(Decimal(string: "18446744073709551615")!), "x",
            ])
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let again = try encoder.encode(value)
        #expect(
            String(decoding: again, as: UTF8.self)
                == #"{"a":[null,true,1,-2.5,18446744073709551615,"x"],"b":{}}"#
        )
        #expect(value["c"] == nil && value["a"]?["b"] == nil && value.stringValue == nil)
    }
}

import Foundation
import Pipevideo
import Testing

/// Nothing that shows a value shows a signed URL, or what may quote the prompt.
func expectNoSecret(in value: Any, at location: SourceLocation = #_sourceLocation) throws {
    var dumped = ""
    dump(value, to: &dumped)
    for text in ["\(value)", String(reflecting: value), dumped] {
        #expect(!text.contains("SECRET"), sourceLocation: location)
        #expect(!text.contains("PipevideoFFI"), sourceLocation: location)
    }
}

/// Generations and the rest as values.
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

    @Test func everyFieldIsThereAndExact() throws {
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

    @Test func codableKeepsEverything() throws {
        let generation = try generation()
        for encoder in [JSONEncoder(), snakeCased()] {
            let data = try encoder.encode(generation)
            let again = try JSONDecoder().decode(Generation.self, from: data)
            #expect(again == generation && again.hashValue == generation.hashValue)
            let members = try JSONDecoder().decode(JSONValue.self, from: data).members
            // Null and absent are told apart on the way.
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
            #expect(again.extra == generation.extra && wire(again) == wire(generation))
        }
    }

    private func snakeCased() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        return encoder
    }

    @Test func timesAreWrittenAsTheyWereRead() throws {
        for written in [
            "0", "1709827200", "1709827200.5", "1709827200.123", "1709827200.999999",
            "253402300799", "9223372036854775807", "18446744073709551615", "-1", "1e300",
        ] {
            let text = #"{"id":"gen_1","status":"completed","created_at":\#(written)}"#
            let generation = try generation(text)
            let again = String(decoding: try JSONEncoder().encode(generation), as: UTF8.self)
            #expect(try self.generation(again) == generation, "\(again)")
            let kept = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
            #expect(wire(generation)["created_at"] == kept["created_at"], "\(again)")
        }
    }

    @Test func equalityAndHashAreThoseOfTheValue() throws {
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
    func numbersAreTheSameAfterARoundTrip(_ number: String) throws {
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

    @Test func eachFieldCounts() throws {
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

    @Test func readingIsLenientAndNoMore() throws {
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

    @Test func whatIsPrintedShowsNoSecret() throws {
        let generation = try generation()
        #expect("\(generation)".contains("gen_1"))
        let failed = try self.generation(
            #"{"id":"gen_1","status":"failed","error":{"code":"e","message":"SECRET prompt"}}"#
        )
        #expect(failed.error?.message == "SECRET prompt")
        let failure = try #require(failed.error)
        let usage = try #require(generation.usage)
        #expect("\(failure)" == "GenerationError(category: invalid_prompt, code: e)")
        #expect(
            "\(usage)".hasPrefix("TokenUsage(inputTokens: 12, outputTokens: 3400, costUSD: 0.12"))
        for value in [generation, failed, failure, usage] as [Any] { try expectNoSecret(in: value) }
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
    func aSignedURLStaysAsItIs(_ written: String, _ expected: String?) throws {
        let text = #"{"id":"gen_1","status":"completed","output_video_url":"\#(written)"}"#
        #expect(try generation(text).outputVideoURL?.absoluteString == expected)
    }

    @Test func theRestIsCodableToo() throws {
        func again<Value: Codable & Equatable>(_ value: Value) throws {
            let data = try JSONEncoder().encode(value)
            #expect(try JSONDecoder().decode(Value.self, from: data) == value)
            let list = try PropertyListEncoder().encode([value])
            #expect(try PropertyListDecoder().decode([Value].self, from: list) == [value])
        }
        let generation = try generation()
        try again(try #require(generation.usage))
        try again(
            try JSONDecoder().decode(
                GenerationError.self, from: Data(#"{"code":"render_failed","hint":[1]}"#.utf8)
            )
        )
        let catalog = try JSONDecoder().decode(
            EngineCatalog.self,
            from: Data(#"{"engines":[{"id":"e","models":[{"id":"m","input":"0.60"}]}],"x":1}"#.utf8)
        )
        #expect(catalog.engines[0].models[0].inputPerMillionUSD == Decimal(string: "0.6"))
        try again(catalog)
        try again(catalog.engines)
        let usage = try JSONDecoder().decode(
            AccountUsage.self,
            from: Data(
                """
                {"credit_balance":1250.5,"totals":{"total_requests":3},"recent_requests":[{"id":"gen_1",\
                "status":"queued","cost_cents":"0.1","created_at":1709827200123}],"new":true}
                """.utf8
            )
        )
        #expect(usage.creditBalance == Decimal(string: "1250.5") && usage.raw["new"] == true)
        try again(usage)
        try again(usage.recentRequests)
        try again(usage.totals)
        try again(PipevideoError.Kind.rateLimited)
    }

    @Test func jsonIsWhatItWas() throws {
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

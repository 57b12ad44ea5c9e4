import Foundation
import Pipevideo

/// One scenario under way: conformance/README.md says what its members mean.
final class ScenarioRun {
    private static let members: Set<String> = [
        "about", "emulator", "generations", "faults", "delivery_faults", "files", "client", "first",
        "call", "outcome", "requests", "events", "files_after",
    ]

    private let scenario: JSONValue
    private let emulator: Emulator
    private let folder: URL
    private let video: Data
    private var matcher = Matcher()
    private var generations: [String: Generation] = [:]
    private var errors: [String: PipevideoError] = [:]

    static func run(_ scenario: JSONValue) async throws {
        let unknown = Set(scenario.members.keys).subtracting(members)
        guard unknown.isEmpty else { throw Broken("this runner does not know \(unknown)") }
        let emulator = try await Emulator.start(scenario["emulator"]?.members ?? [:])
        let run = try ScenarioRun(scenario, emulator)
        defer { try? FileManager.default.removeItem(at: run.folder) }
        try await run.prepare()
        try await run.run()
    }

    private init(_ scenario: JSONValue, _ emulator: Emulator) throws {
        self.scenario = scenario
        self.emulator = emulator
        folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        video = try Repository.data("emulator/assets/video.mp4")
    }

    private func prepare() async throws {
        for (member, path) in [
            ("generations", "generations"), ("faults", "faults"),
            ("delivery_faults", "deliveries/faults"),
        ] {
            for body in scenario[member]?.elements ?? [] {
                try await emulator.control("POST", path, body)
            }
        }
        for (name, content) in scenario["files"]?.members ?? [:] {
            let file = folder.appending(path: name)
            if content == "directory" {
                try FileManager.default.createDirectory(
                    at: file, withIntermediateDirectories: false)
            } else {
                try self.content(content).write(to: file)
            }
        }
    }

    private func run() async throws {
        let client: Pipevideo
        do {
            client = try self.client()
        } catch let error as PipevideoError {
            try matcher.outcome(scenario["outcome"] ?? [:], Shown(error))
            return try await compareRequests()
        }
        let events = Collected<Shown>()
        var receiver: Receiver?
        if scenario["events"] != nil {
            let started = try Receiver { body, headers in
                do {
                    events.add(.value(shown(try client.webhooks.unwrap(body, headers: headers))))
                    return 204
                } catch {
                    events.add(Shown(error))
                    return 400
                }
            }
            try await emulator.control("PUT", "webhook", ["url": .string(started.url)])
            receiver = started
        }
        for first in scenario["first"]?.elements ?? [] {
            let found = await result(of: first, with: client)
            try matcher.outcome(first["outcome"] ?? [:], found)
        }
        let found = await result(of: scenario["call"] ?? [:], with: client)
        try matcher.outcome(scenario["outcome"] ?? [:], found)
        try await compareRequests()
        if let expected = scenario["events"]?.elements {
            let came = await events.first(expected.count)
            guard came.count == expected.count else { throw Broken("\(came.count) events came") }
            for (expected, found) in zip(expected, came) { try matcher.outcome(expected, found) }
        }
        withExtendedLifetime(receiver) {}
        try compareFiles()
    }

    private func compareRequests() async throws {
        guard let expected = scenario["requests"] else { return }
        try matcher.requests(expected, try await emulator.requests(), key: emulator.apiKey)
    }

    private func compareFiles() throws {
        for (name, expected) in scenario["files_after"]?.members ?? [:] {
            let file = folder.appending(path: name)
            var isDirectory: ObjCBool = false
            let there = FileManager.default.fileExists(atPath: file.path, isDirectory: &isDirectory)
            let fine =
                switch expected {
                case .null: !there
                case "directory": there && isDirectory.boolValue
                default: try there && Data(contentsOf: file) == content(expected)
                }
            guard fine else { throw Broken("the file \(name) is not \(expected)") }
        }
    }

    private func content(_ content: JSONValue) throws -> Data {
        if content == "video" { return video }
        if let count = content["video_bytes"]?.intValue { return video.prefix(count) }
        if let text = content["text"]?.stringValue { return Data(text.utf8) }
        return Data(base64Encoded: content["base64"]?.stringValue ?? "") ?? Data()
    }

    // MARK: the client

    private func client() throws -> Pipevideo {
        let defaults: [String: JSONValue] = [
            "base_url": "{base_url}", "api_key": "{api_key}", "rate_limit": nil,
            "polling": ["min_interval": 0, "max_interval": 0],
        ]
        var options = defaults.merging(scenario["client"]?.members ?? [:]) { _, own in own }
        func take(_ name: String) -> JSONValue? { options.removeValue(forKey: name) }
        let baseURL = take("base_url")?.stringValue
        let apiKey = take("api_key")?.stringValue
        let polling = take("polling") ?? [:]
        let app = take("app") ?? [:]
        let limit = take("rate_limit")
        let client = try Pipevideo(
            apiKey: apiKey?.replacingOccurrences(of: "{api_key}", with: emulator.apiKey),
            baseURL: baseURL == "refused"
                ? refused()
                : baseURL?.replacingOccurrences(of: "{base_url}", with: emulator.baseURL),
            allowInsecure: take("allow_insecure")?.boolValue,
            requestTimeout: take("request_timeout")?.duration,
            connectTimeout: take("connect_timeout")?.duration,
            maxRetries: take("max_retries")?.intValue,
            rateLimit: limit.flatMap { limit in
                guard case .array(let pair) = limit else { return nil }
                return RateLimit(requests: pair[0].intValue!, per: pair[1].duration!)
            },
            polling: Polling(
                minInterval: polling["min_interval"]?.duration,
                maxInterval: polling["max_interval"]?.duration,
                safetyInterval: polling["safety_interval"]?.duration,
                typical: polling["typical"]?.duration
            ),
            deadline: take("deadline")?.duration,
            webhookSecrets: take("webhook_secrets")?.elements.compactMap(\.stringValue),
            app: AppIdentity(
                url: app["url"]?.stringValue, title: app["title"]?.stringValue,
                name: app["name"]?.stringValue
            ),
            headers: (take("headers")?.members ?? [:]).compactMapValues(\.stringValue),
            proxy: take("proxy")?.stringValue,
            caFile: take("ca_file")?.stringValue.map { URL(filePath: $0) }
        )
        guard options.isEmpty else { throw Broken("this runner does not know \(options.keys)") }
        return client
    }

    // MARK: calls

    /// What a call comes to; kept, if it has a name.
    private func result(of call: JSONValue, with client: Pipevideo) async -> Shown {
        let name = call["as"]?.stringValue ?? ""
        do {
            switch try await make(call, client) {
            case let generation as Generation:
                generations[name] = generation
                return .value(shown(generation))
            case let value as JSONValue:
                return .value(value)
            default:
                return .value(.null)
            }
        } catch {
            errors[name] = error as? PipevideoError
            return Shown(error)
        }
    }

    private func make(_ call: JSONValue, _ client: Pipevideo) async throws -> any Sendable {
        let args = call["args"] ?? [:]
        let id = args["id"]?.stringValue ?? ""
        let deadline = args["deadline"]?.duration
        func named(_ name: String) -> String? {
            args[name]?.stringValue.map { String($0.dropFirst()) }
        }
        switch call["operation"]?.stringValue {
        case "responses.create":
            let given = try Given(args, folder)
            return try await client.responses.create(
                model: given.model, input: given.input, instructions: given.instructions,
                width: given.width, height: given.height, aspectRatio: given.aspectRatio,
                provider: given.provider, engine: given.engine, expandPrompt: given.expandPrompt,
                extraBody: given.extraBody
            )
        case "generate":
            let given = try Given(args, folder)
            return try await client.generate(
                model: given.model, input: given.input, instructions: given.instructions,
                width: given.width, height: given.height, aspectRatio: given.aspectRatio,
                provider: given.provider, engine: given.engine, expandPrompt: given.expandPrompt,
                extraBody: given.extraBody, deadline: deadline
            )
        case "responses.retrieve":
            return try await client.responses.retrieve(id)
        case "responses.wait":
            return try await client.responses.wait(for: id, deadline: deadline)
        case "responses.watch":
            var updates: [JSONValue] = []
            for try await update in client.responses.updates(for: id, deadline: deadline) {
                updates.append(shown(update))
            }
            return JSONValue.array(updates)
        case "responses.download":
            let file = folder.appending(path: args["path"]?.stringValue ?? "")
            if let name = named("generation"), let generation = generations[name] {
                try await client.responses.download(generation, to: file)
            } else {
                try await client.responses.download(id, to: file)
            }
            return JSONValue.string(file.path)
        case "responses.reconcile":
            guard let error = named("error").flatMap({ errors[$0] }) else {
                throw Broken("there is no such error")
            }
            return JSONValue.array(try await client.responses.reconcile(error).map(shown))
        case "engines.list":
            return shown(try await client.engines.list())
        case "usage.retrieve":
            return shown(try await client.usage.retrieve())
        case "webhooks.unwrap":
            let secrets = scenario["client"]?["webhook_secrets"] ?? []
            let headers = try Delivery(args).moved(secrets: secrets)
            return shown(try client.webhooks.unwrap(Delivery(args).body, headers: headers))
        case "webhook.unwrap":
            let webhook = try Webhook(secrets: texts(args["secrets"]))
            let delivery = Delivery(args)
            let now = args["now"]?.doubleValue.map(Date.init(timeIntervalSince1970:))
            return shown(try webhook.unwrap(delivery.body, headers: delivery.headers, now: now))
        case "webhook.sign":
            let webhook = try Webhook(secrets: texts(args["secrets"]))
            let signed = webhook.sign(
                Delivery(args).body, id: id,
                timestamp: Date(timeIntervalSince1970: args["timestamp"]?.doubleValue ?? 0)
            )
            return JSONValue.object(signed.mapValues(JSONValue.string))
        case let other:
            throw Broken("this runner does not know the operation \(other ?? "")")
        }
    }
}

func texts(_ list: JSONValue?) -> [String] {
    (list?.elements ?? []).compactMap(\.stringValue)
}

/// The arguments of a create.
private struct Given {
    let model: String
    let input: Input
    let instructions: String?
    let width: Int?
    let height: Int?
    let aspectRatio: String?
    let provider: ProviderPreference?
    let engine: String?
    let expandPrompt: Bool?
    let extraBody: [String: JSONValue]

    init(_ args: JSONValue, _ folder: URL) throws {
        let known: Set<String> = [
            "model", "input", "instructions", "width", "height", "aspect_ratio", "provider",
            "engine",
            "expand_prompt", "extra_body", "deadline",
        ]
        let unknown = Set(args.members.keys).subtracting(known)
        guard unknown.isEmpty else { throw Broken("this runner does not know \(unknown)") }
        model = args["model"]?.stringValue ?? ""
        input = Self.input(args["input"] ?? "", folder)
        instructions = args["instructions"]?.stringValue
        width = args["width"]?.intValue
        height = args["height"]?.intValue
        aspectRatio = args["aspect_ratio"]?.stringValue
        provider =
            switch args["provider"] {
            case .array: .order(texts(args["provider"]))
            case .object(let object): .object(object)
            default: nil
            }
        engine = args["engine"]?.stringValue
        expandPrompt = args["expand_prompt"]?.boolValue
        extraBody = args["extra_body"]?.members ?? [:]
    }

    private static func input(_ value: JSONValue, _ folder: URL) -> Input {
        if let text = value.stringValue { return .text(text) }
        let list = value.elements
        guard !list.isEmpty, list.allSatisfy({ $0["role"] != nil }) else {
            return .parts(list.map { part($0, folder) })
        }
        return .items(
            list.map { item in
                InputItem(
                    role: Role(rawValue: item["role"]?.stringValue ?? ""),
                    content: (item["content"]?.elements ?? []).map { part($0, folder) }
                )
            }
        )
    }

    private static func part(_ part: JSONValue, _ folder: URL) -> InputPart {
        let detail = part["detail"]?.stringValue.map(Detail.init)
        func file(_ source: JSONValue) -> URL? {
            source["path"]?.stringValue.map { folder.appending(path: $0) }
        }
        func data(_ source: JSONValue) -> Data {
            Data(base64Encoded: source["base64"]?.stringValue ?? "") ?? Data()
        }
        if let text = part["text"]?.stringValue { return .text(text) }
        if let image = part["image"] {
            if let url = image.stringValue { return .image(url: url, detail: detail) }
            if let file = file(image) { return .image(file: file, detail: detail) }
            return .image(data: data(image), detail: detail)
        }
        let video = part["video"] ?? [:]
        if let url = video.stringValue { return .video(url: url) }
        if let file = file(video) { return .video(file: file) }
        return .video(data: data(video))
    }
}

/// A delivery that a scenario writes down.
private struct Delivery {
    let body: Data
    let headers: [String: String]
    let now: Int

    init(_ args: JSONValue) {
        body = Data((args["body"]?.stringValue ?? "").utf8)
        headers = (args["headers"]?.members ?? [:]).compactMapValues(\.stringValue)
        now = args["now"]?.intValue ?? 0
    }

    /// The headers as if `now` were the present: the timestamp moved, and what was rightly signed for
    /// it by one of the secrets signed anew.
    func moved(secrets: JSONValue) throws -> [String: String] {
        var headers = headers
        for family in ["svix", "webhook"] {
            func name(_ part: String) -> String? {
                headers.keys.first { $0.lowercased() == "\(family)-\(part)" }
            }
            guard let id = name("id"), let timestamp = name("timestamp"),
                let signature = name("signature"), let text = headers[timestamp],
                text.allSatisfy(\.isASCII), text.allSatisfy(\.isNumber), let seconds = Int(text)
            else { continue }
            let present = Int(Date().timeIntervalSince1970) - now + seconds
            for secret in texts(secrets) {
                let webhook = try Webhook(secrets: [secret])
                func signed(_ seconds: Int) -> String {
                    let timestamp = Date(timeIntervalSince1970: Double(seconds))
                    let signed = webhook.sign(body, id: headers[id]!, timestamp: timestamp)
                    return signed["svix-signature"]!
                }
                headers[signature] = headers[signature]!
                    .replacingOccurrences(of: signed(seconds), with: signed(present))
            }
            headers[timestamp] = String(present)
        }
        return headers
    }
}

import Foundation
import Pipevideo

/// Runs one scenario. conformance/README.md documents its members.
final class ScenarioRun {
    private static let members: Set<String> = [
        "about", "emulator", "generations", "faults", "delivery_faults", "files", "client", "first",
        "call", "outcome", "requests", "events", "handler_failures", "files_after", "logs",
    ]

    private let scenario: JSONValue
    private let emulator: Emulator
    private let folder: URL
    private let video: Data
    private let records = Collected<LogRecord>()
    private var matcher = Matcher()
    private var generations: [String: Generation] = [:]
    private var webhookEvents: [String: WebhookEvent] = [:]
    private var errors: [String: PipevideoError] = [:]

    static func run(_ scenario: JSONValue) async throws {
        let unknown = Set(scenario.members.keys).subtracting(members)
        guard unknown.isEmpty else {
            throw TestFailure("this runner does not support the members \(unknown)")
        }
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
        let client: PipevideoClient
        do {
            client = try self.client()
        } catch let error as PipevideoError {
            try matcher.outcome(scenario["outcome"] ?? [:], Outcome(error))
            return try await compareRequests()
        }
        let events = Collected<Outcome>()
        var receiver: Receiver?
        if scenario["events"] != nil {
            let handlerFailures = scenario["handler_failures"]?.intValue ?? 0
            let started = try Receiver { body, headers in
                do {
                    let event = try client.webhooks.unwrap(body, headers: headers)
                    // One delivery is handled at a time, so the count is that of earlier ones.
                    let fails = events.count < handlerFailures
                    if !fails { try event.acknowledge() }
                    events.add(.value(json(of: event)))
                    return fails ? 500 : 204
                } catch {
                    events.add(Outcome(error))
                    return 400
                }
            }
            try await emulator.control("PUT", "webhook", ["url": .string(started.url)])
            receiver = started
        }
        for first in scenario["first"]?.elements ?? [] {
            let found = await outcome(of: first, with: client)
            try matcher.outcome(first["outcome"] ?? [:], found)
        }
        let found = await outcome(of: scenario["call"] ?? [:], with: client)
        try matcher.outcome(scenario["outcome"] ?? [:], found)
        try await compareRequests()
        if let expected = scenario["events"]?.elements {
            let found = await events.first(expected.count)
            guard found.count == expected.count else {
                throw TestFailure("\(found.count) events, expected \(expected.count)")
            }
            for (expected, found) in zip(expected, found) { try matcher.outcome(expected, found) }
        }
        withExtendedLifetime(receiver) {}
        try compareFiles()
        if let expected = scenario["logs"] {
            let found = await records.first(expected.elements.count).map { json(of: $0) }
            try matcher.value(expected, .array(found), "logs")
        }
    }

    private func compareRequests() async throws {
        guard let expected = scenario["requests"] else { return }
        try matcher.requests(expected, try await emulator.requests(), key: emulator.apiKey)
    }

    private func compareFiles() throws {
        for (name, expected) in scenario["files_after"]?.members ?? [:] {
            let file = folder.appending(path: name)
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: file.path, isDirectory: &isDirectory)
            let isExpected =
                switch expected {
                case .null: !exists
                case "directory": exists && isDirectory.boolValue
                default: try exists && Data(contentsOf: file) == content(expected)
                }
            guard isExpected else { throw TestFailure("the file \(name) is not \(expected)") }
        }
    }

    private func content(_ content: JSONValue) throws -> Data {
        if content == "video" { return video }
        if let count = content["video_bytes"]?.intValue { return video.prefix(count) }
        if let text = content["text"]?.stringValue { return Data(text.utf8) }
        return Data(base64Encoded: content["base64"]?.stringValue ?? "") ?? Data()
    }

    // MARK: the client

    private func client() throws -> PipevideoClient {
        var options = scenario["client"]?.members ?? [:]
        func take(_ name: String) -> JSONValue? { options.removeValue(forKey: name) }
        var configuration = emulator.configuration()
        configuration.logger = PipevideoLogger { [records] in records.add($0) }
        if let url = take("base_url") {
            configuration.baseURL =
                try url == "refused"
                ? refusedAddress()
                : url.stringValue?.replacingOccurrences(of: "{base_url}", with: emulator.baseURL)
        }
        configuration.allowInsecure = take("allow_insecure")?.boolValue
        configuration.requestTimeout = take("request_timeout")?.duration
        configuration.connectTimeout = take("connect_timeout")?.duration
        configuration.maxRetries = take("max_retries")?.intValue
        if case .array(let limit) = take("rate_limit") {
            configuration.rateLimit = .requests(limit[0].intValue!, per: limit[1].duration!)
        }
        if let polling = take("polling") {
            configuration.polling = Polling(
                minInterval: polling["min_interval"]?.duration,
                maxInterval: polling["max_interval"]?.duration,
                safetyInterval: polling["safety_interval"]?.duration,
                typical: polling["typical"]?.duration
            )
        }
        configuration.deadline = take("deadline")?.duration
        configuration.webhookSecrets = take("webhook_secrets").map(strings)
        if let app = take("app") {
            configuration.app = AppIdentity(
                url: app["url"]?.stringValue, title: app["title"]?.stringValue,
                name: app["name"]?.stringValue
            )
        }
        configuration.spendLimit = take("spend_limit")?.amount
        configuration.headers = (take("headers")?.members ?? [:]).compactMapValues(\.stringValue)
        configuration.proxy = take("proxy")?.stringValue
        configuration.caFile = take("ca_file")?.stringValue.map { URL(filePath: $0) }
        let apiKey = take("api_key") ?? "{api_key}"
        guard options.isEmpty else {
            throw TestFailure("this runner does not support the options \(options.keys)")
        }
        if case .array(let tokens) = apiKey {
            let function = Tokens(
                tokens.map {
                    $0.stringValue?.replacingOccurrences(of: "{api_key}", with: emulator.apiKey)
                })
            return try PipevideoClient(
                baseURL: configuration.baseURL ?? emulator.baseURL,
                token: { try await function.next() }, configuration: configuration
            )
        }
        return try PipevideoClient(
            apiKey: apiKey.stringValue?.replacingOccurrences(
                of: "{api_key}", with: emulator.apiKey),
            configuration: configuration
        )
    }

    // MARK: calls

    /// Makes a call and keeps its result or its error if the scenario names it.
    private func outcome(of call: JSONValue, with client: PipevideoClient) async -> Outcome {
        let name = call["as"]?.stringValue ?? ""
        do {
            switch try await make(call, client) {
            case let generation as Generation:
                generations[name] = generation
                return .value(json(of: generation))
            case let event as WebhookEvent:
                webhookEvents[name] = event
                return .value(json(of: event))
            case let value as JSONValue:
                return .value(value)
            default:
                return .value(.null)
            }
        } catch {
            errors[name] = error as? PipevideoError
            return Outcome(error)
        }
    }

    private func make(_ call: JSONValue, _ client: PipevideoClient) async throws -> any Sendable {
        let args = call["args"] ?? [:]
        let id = args["id"]?.stringValue ?? ""
        let deadline = args["deadline"]?.duration
        let options = CallOptions(
            requestTimeout: args["request_timeout"]?.duration,
            maxRetries: args["max_retries"]?.intValue,
            headers: (args["headers"]?.members ?? [:]).compactMapValues(\.stringValue)
        )
        func reference(_ name: String) -> String? {
            args[name]?.stringValue.map { String($0.dropFirst()) }
        }
        switch call["operation"]?.stringValue {
        case "responses.create":
            return try await client.responses.create(
                GenerationRequest(args, folder), options: options)
        case "generate":
            return try await client.generate(
                GenerationRequest(args, folder), deadline: deadline, options: options)
        case "responses.retrieve":
            return try await client.responses.retrieve(id, options: options)
        case "responses.wait":
            if let generation = reference("id").flatMap({ generations[$0] }) {
                return try await client.responses.wait(
                    for: generation, deadline: deadline, options: options)
            }
            return try await client.responses.wait(
                for: id, deadline: deadline, options: options)
        case "responses.watch":
            var updates: [JSONValue] = []
            let generation = reference("id").flatMap { generations[$0] }
            let found =
                generation.map { client.responses.updates(for: $0, options: options) }
                ?? client.responses.updates(for: id, deadline: deadline, options: options)
            for try await update in found {
                updates.append(json(of: update))
            }
            return JSONValue.array(updates)
        case "responses.download":
            let file = folder.appending(path: args["path"]?.stringValue ?? "")
            let maxBytes = args["max_bytes"]?.intValue
            if let name = reference("generation"), let generation = generations[name] {
                try await client.responses.download(
                    generation, to: file, maxBytes: maxBytes, options: options)
            } else {
                try await client.responses.download(
                    id, to: file, maxBytes: maxBytes, options: options)
            }
            return JSONValue.string(file.path)
        case "responses.stream", "responses.bytes":
            let generation = reference("generation").flatMap { generations[$0] }
            let video = VideoFile(
                client: client, generation: generation, id: id,
                maxBytes: args["max_bytes"]?.intValue,
                options: options, file: folder.appending(path: args["path"]?.stringValue ?? ""))
            if call["operation"] == "responses.bytes" {
                try await video.writeAtOnce()
            } else {
                try await video.write(chunks: args["chunks"]?.intValue ?? Int.max)
            }
            return JSONValue.null
        case "get":
            let path = args["path"]?.stringValue ?? ""
            return json(of: try await client.get(path, options: options))
        case "post":
            let path = args["path"]?.stringValue ?? ""
            let body = args["body"] ?? .null
            return json(of: try await client.post(path, body: body, options: options))
        case "responses.reconcile":
            guard let error = reference("error").flatMap({ errors[$0] }) else {
                throw TestFailure("no call of the scenario has this error")
            }
            let candidates = try await client.responses.candidates(for: error, options: options)
            return JSONValue.array(candidates.map { json(of: $0) })
        case "estimate":
            let estimate = try await client.estimate(
                model: args["model"]?.stringValue ?? "", engine: args["engine"]?.stringValue,
                count: args["count"]?.intValue ?? 1, options: options)
            return json(of: estimate)
        case "spend":
            return json(of: client.spend)
        case "engines.list":
            return json(of: try await client.engines.list(options: options))
        case "usage.retrieve":
            return json(of: try await client.usage.retrieve(options: options))
        case "webhooks.unwrap":
            let secrets = scenario["client"]?["webhook_secrets"] ?? []
            let headers = try Delivery(args).headersMovedToPresent(secrets: secrets)
            return try client.webhooks.unwrap(Delivery(args).body, headers: headers)
        case "webhook.unwrap":
            let webhook = try Webhook(secrets: strings(args["secrets"]))
            let delivery = Delivery(args)
            let now = args["now"]?.doubleValue.map(Date.init(timeIntervalSince1970:))
            return try webhook.unwrap(delivery.body, headers: delivery.headers, now: now)
        case "event.acknowledge":
            guard let event = reference("event").flatMap({ webhookEvents[$0] }) else {
                throw TestFailure("no call of the scenario has this event")
            }
            try event.acknowledge()
            return JSONValue.null
        case "webhook.sign":
            let webhook = try Webhook(secrets: strings(args["secrets"]))
            let signed = webhook.sign(
                Delivery(args).body, id: id,
                timestamp: Date(timeIntervalSince1970: args["timestamp"]?.doubleValue ?? 0)
            )
            return JSONValue.object(signed.mapValues(JSONValue.string))
        case let other:
            throw TestFailure("this runner does not support the operation \(other ?? "")")
        }
    }
}

// MARK: arguments

extension GenerationRequest {
    /// A request from a call's arguments.
    fileprivate init(_ args: JSONValue, _ folder: URL) throws {
        var members = args.members
        for option in ["deadline", "request_timeout", "max_retries", "headers"] {
            members[option] = nil
        }
        func take(_ name: String) -> JSONValue? { members.removeValue(forKey: name) }
        self.init(
            model: take("model")?.stringValue ?? "", input: Input(take("input") ?? "", folder),
            instructions: take("instructions")?.stringValue, width: take("width")?.intValue,
            height: take("height")?.intValue, aspectRatio: take("aspect_ratio")?.stringValue,
            provider: take("provider").flatMap { provider in
                switch provider {
                case .array: .order(strings(provider))
                case .object(let object): .object(object)
                default: nil
                }
            },
            engine: take("engine")?.stringValue, expandPrompt: take("expand_prompt")?.boolValue,
            maxCostUSD: take("max_cost_usd")?.amount, extraBody: take("extra_body")?.members ?? [:]
        )
        guard members.isEmpty else {
            throw TestFailure("this runner does not support the arguments \(members.keys)")
        }
    }
}

extension Input {
    fileprivate init(_ value: JSONValue, _ folder: URL) {
        let list = value.elements
        if let text = value.stringValue {
            self = .text(text)
        } else if !list.isEmpty, list.allSatisfy({ $0["role"] != nil }) {
            self = .items(
                list.map { item in
                    InputItem(
                        role: Role(rawValue: item["role"]?.stringValue ?? ""),
                        content: (item["content"]?.elements ?? []).map { .make($0, folder) }
                    )
                }
            )
        } else {
            self = .parts(list.map { .make($0, folder) })
        }
    }
}

extension InputPart {
    fileprivate static func make(_ part: JSONValue, _ folder: URL) -> InputPart {
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

/// A webhook delivery that a scenario spells out.
private struct Delivery {
    let body: Data
    let headers: [String: String]
    let now: Int

    init(_ args: JSONValue) {
        body = Data((args["body"]?.stringValue ?? "").utf8)
        headers = (args["headers"]?.members ?? [:]).compactMapValues(\.stringValue)
        now = args["now"]?.intValue ?? 0
    }

    /// The headers as if the scenario's `now` were the present: the timestamp is moved, and a valid
    /// signature by one of the secrets is replaced by the one for the new timestamp.
    func headersMovedToPresent(secrets: JSONValue) throws -> [String: String] {
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
            for secret in strings(secrets) {
                let webhook = try Webhook(secrets: [secret])
                func sign(_ seconds: Int) -> String {
                    let timestamp = Date(timeIntervalSince1970: Double(seconds))
                    let signed = webhook.sign(body, id: headers[id]!, timestamp: timestamp)
                    return signed["svix-signature"]!
                }
                headers[signature] = headers[signature]!
                    .replacingOccurrences(of: sign(seconds), with: sign(present))
            }
            headers[timestamp] = String(present)
        }
        return headers
    }
}

/// Yields these tokens in turn, and from then on the last one. It fails where there is none.
private actor Tokens {
    private var remaining: [String?]

    init(_ tokens: [String?]) {
        remaining = tokens
    }

    func next() throws -> String {
        let token = remaining.count > 1 ? remaining.removeFirst() : remaining[0]
        guard let token else { throw TestFailure("there is no token") }
        return token
    }
}

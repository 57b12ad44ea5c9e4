import Foundation
internal import PipevideoFFI

/// One video request as the service last told it: a plain, immutable snapshot.
///
/// Its ``id`` is all that is needed to go on with it in another process, language or machine.
///
/// It is read from and written as the service's JSON, whatever the encoder's strategies: leniently,
/// exactly, and with the fields that this library does not know. So an app can read what its backend
/// hands on, and keep a generation, in a property list too. Equality is that of the values: `5.0` and
/// `5` are the same, as are null and absent.
///
/// ```swift
/// let generation = try JSONDecoder().decode(
///     Generation.self, from: Data(#"{"id": "gen_1", "status": "queued"}"#.utf8)
/// )
/// ```
public struct Generation: Hashable, Sendable, Identifiable {
    let core: PipevideoFFI.Generation

    init(_ core: PipevideoFFI.Generation) {
        self.core = core
    }

    /// The service's id, `gen_…`.
    public var id: String { core.id }

    /// How far it is.
    public var status: Status { Status(rawValue: core.status) }

    /// Whether it has ended: completed or failed, and will not change any more.
    public var isFinal: Bool { PipevideoFFI.isFinal(status: core.status) }

    /// The orchestration model.
    public var model: String? { core.model }

    /// The engine that renders, such as `hyperframes`.
    public var engine: String? { core.engine }

    /// The slug of the provider that the service chose.
    public var provider: String? { core.provider }

    /// When the service took it.
    public var createdAt: Date? { core.createdAt }

    /// Where the video is, once completed: a signed URL that expires. Treat it as a secret.
    public var outputVideoURL: URL? { core.outputVideoUrl.flatMap(URL.init(given:)) }

    /// Tokens and cost, once known.
    public var usage: TokenUsage? { core.usage.map(TokenUsage.init) }

    /// Why it failed, if it did.
    public var error: GenerationError? { core.error.map(GenerationError.init) }

    /// How long it took end to end, once completed.
    public var latency: Duration? { core.latencyMs.flatMap(Duration.init(milliseconds:)) }

    /// The service's `output`; its content is not documented.
    public var output: JSONValue? { core.output.map(JSONValue.init(text:)) }

    /// Every field that this library does not know, or could not read.
    public var extra: [String: JSONValue] { JSONValue.members(core.extra) }
}

extension Generation: Codable {
    /// Reads the service's JSON.
    public init(from decoder: any Decoder) throws {
        core = try decoder.read("generation", PipevideoFFI.generationFromJson)
    }

    /// Writes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try JSONValue(text: generationJson(generation: core)).encode(to: encoder)
    }
}

// The URL is signed: who has it has the video. What else the service has written may quote the prompt.
extension Generation: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The useful things in one line, without the signed URL.
    public var description: String {
        var shown = "Generation(id: \(id), status: \(status)"
        if let model { shown += ", model: \(model)" }
        if let cost = usage?.costUSD { shown += ", costUSD: \(cost)" }
        if let error { shown += ", error: \(error.category)" }
        if core.outputVideoUrl != nil { shown += ", outputVideoURL: …" }
        return shown + ")"
    }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// What `dump` shows: no more than ``description``.
    public var customMirror: Mirror {
        Mirror(self, children: ["id": id, "status": status.rawValue])
    }
}

/// Tokens and cost of a generation, as far as the service has told them.
public struct TokenUsage: Hashable, Sendable {
    let core: PipevideoFFI.TokenUsage

    init(_ core: PipevideoFFI.TokenUsage) {
        self.core = core
    }

    /// Tokens read.
    public var inputTokens: Int? { core.inputTokens.flatMap(Int.init(exactly:)) }

    /// Tokens written.
    public var outputTokens: Int? { core.outputTokens.flatMap(Int.init(exactly:)) }

    /// Both together, as the service counts them.
    public var totalTokens: Int? { core.totalTokens.flatMap(Int.init(exactly:)) }

    /// What was charged, in US dollars, exactly.
    public var costUSD: Decimal? { Decimal(exact: core.costUsd) }

    /// Every field that this library does not know, or could not read.
    public var extra: [String: JSONValue] { JSONValue.members(core.extra) }
}

extension TokenUsage: Codable {
    /// Reads the service's JSON.
    public init(from decoder: any Decoder) throws {
        core = try decoder.read("token usage", PipevideoFFI.tokenUsageFromJson)
    }

    /// Writes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try JSONValue(text: tokenUsageJson(usage: core)).encode(to: encoder)
    }
}

extension TokenUsage: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The known numbers in one line.
    public var description: String { shown("TokenUsage", numbers) }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// What `dump` shows: no more than ``description``.
    public var customMirror: Mirror { Mirror(self, children: numbers) }

    private var numbers: [(label: String?, value: Any)] {
        let numbers: [(label: String?, value: Any?)] = [
            ("inputTokens", inputTokens), ("outputTokens", outputTokens),
            ("totalTokens", totalTokens), ("costUSD", costUSD),
        ]
        return numbers.compactMap { number in number.value.map { (number.label, $0) } }
    }
}

/// Why a generation failed, in the service's words and as a category.
public struct GenerationError: Hashable, Sendable {
    let core: PipevideoFFI.GenerationError

    init(_ core: PipevideoFFI.GenerationError) {
        self.core = core
    }

    /// The service's code; its values are not documented.
    public var code: String? { core.code }

    /// The service's message. It may quote the prompt: think before logging it.
    public var message: String? { core.message }

    /// The failure sorted into a category by its code and message.
    public var category: FailureCategory {
        FailureCategory(rawValue: PipevideoFFI.category(error: core))
    }

    /// Every field that this library does not know, or could not read.
    public var extra: [String: JSONValue] { JSONValue.members(core.extra) }
}

extension GenerationError: Codable {
    /// Reads the service's JSON.
    public init(from decoder: any Decoder) throws {
        core = try decoder.read("generation's error", PipevideoFFI.generationErrorFromJson)
    }

    /// Writes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try JSONValue(text: generationErrorJson(error: core)).encode(to: encoder)
    }
}

// The message may quote the prompt.
extension GenerationError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    /// The category and the code, without the message.
    public var description: String { shown("GenerationError", parts) }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// What `dump` shows: no more than ``description``.
    public var customMirror: Mirror { Mirror(self, children: parts) }

    private var parts: [(label: String?, value: Any)] {
        var parts: [(label: String?, value: Any)] = [("category", category.rawValue)]
        if let code { parts.append(("code", code)) }
        return parts
    }
}

/// A change of a generation.
public struct Update: Hashable, Sendable, Codable {
    /// The generation as it is now.
    public let generation: Generation
    /// The time since it was created, as far as this process knows.
    public let elapsed: Duration
    /// What such generations have taken, for a progress bar: half of them took less.
    public let expected: Duration
    /// How the change was learned of.
    public let via: Via

    init(_ core: PipevideoFFI.Update) {
        generation = Generation(core.generation)
        elapsed = .seconds(core.elapsed)
        expected = .seconds(core.expected)
        via = Via(rawValue: core.via)
    }
}

extension Decoder {
    /// Reads any JSON, as the core reads it.
    func read<Core>(_ what: String, _ parse: (String) -> Core?) throws -> Core {
        guard let core = parse(try JSONValue(from: self).text) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: codingPath, debugDescription: "This is not the JSON of a \(what)."
                )
            )
        }
        return core
    }
}

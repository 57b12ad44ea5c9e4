import Foundation
internal import PipevideoFFI

/// One video request, as the service last reported it: an immutable snapshot.
///
/// The ``id`` is all that is needed to continue with a generation in another process, language or
/// machine.
///
/// A generation is `Codable` in the service's JSON format, whatever the strategies of the encoder or
/// decoder are. Unknown fields are kept, and a field of an unexpected type does not make decoding fail.
/// So an app can decode what its backend passes on, and can store a generation, in a property list too.
///
/// Two generations are equal if their values are: `5.0` equals `5`, and null equals absent. The query of
/// ``outputVideoURL`` does not count, because the service signs the address anew for each response.
///
/// ```swift
/// let generation = try JSONDecoder().decode(
///     Generation.self, from: Data(#"{"id": "gen_1", "status": "queued"}"#.utf8)
/// )
/// ```
public struct Generation: Sendable, Identifiable {
    let core: PipevideoFFI.Generation

    /// The response of the call that returned it, if that was ``Responses/create(_:options:)`` or
    /// ``Responses/retrieve(_:options:)``. It is no part of the value: neither of its equality nor of its
    /// JSON.
    public let response: APIResponse?

    init(_ core: PipevideoFFI.Generation) {
        self.core = core
        response = nil
    }

    init(answered: PipevideoFFI.AnsweredGeneration) {
        core = answered.generation
        response = APIResponse(answered.response)
    }

    /// Creates a generation, for tests and previews.
    public init(
        id: String, status: Status = .queued, model: String? = nil, engine: String? = nil,
        provider: String? = nil, createdAt: Date? = nil, outputVideoURL: URL? = nil,
        usage: TokenUsage? = nil, error: GenerationError? = nil, latency: Duration? = nil,
        output: JSONValue? = nil, extra: [String: JSONValue] = [:]
    ) {
        core = PipevideoFFI.Generation(
            id: id, status: status.rawValue, model: model, engine: engine, provider: provider,
            createdAt: createdAt?.inRange, outputVideoUrl: outputVideoURL?.absoluteString,
            usage: usage?.core, error: error?.core,
            latencyMs: latency.flatMap { UInt64(exactly: ($0 / .milliseconds(1)).rounded()) },
            output: output?.text, extra: JSONValue.object(extra).text,
            spelling: Spelling(fields: [])
        )
        response = nil
    }

    /// The service's id, `gen_…`.
    public var id: String { core.id }

    /// The status.
    public var status: Status { Status(rawValue: core.status) }

    /// Whether the generation has completed or failed. It does not change after that.
    public var isFinal: Bool { PipevideoFFI.isFinal(status: core.status) }

    /// The orchestration model.
    public var model: String? { core.model }

    /// The engine that renders the video, such as `hyperframes`.
    public var engine: String? { core.engine }

    /// The slug of the provider that the service chose.
    public var provider: String? { core.provider }

    /// When the service accepted the request.
    public var createdAt: Date? { core.createdAt }

    /// The address of the video, once the generation has completed. It is a signed URL that expires:
    /// treat it as a secret.
    public var outputVideoURL: URL? { core.outputVideoUrl.flatMap(URL.init(exact:)) }

    /// Tokens and cost, once the service reports them.
    public var usage: TokenUsage? { core.usage.map(TokenUsage.init) }

    /// Why the generation failed, if it did.
    public var error: GenerationError? { core.error.map(GenerationError.init) }

    /// The time from the request to the finished video, once the generation has completed.
    public var latency: Duration? { core.latencyMs.flatMap(Duration.init(milliseconds:)) }

    /// The service's `output`. Its content is not documented.
    public var output: JSONValue? { core.output.map(JSONValue.init(text:)) }

    /// All fields that have no property here, or that had an unexpected type.
    public var extra: [String: JSONValue] { JSONValue.members(core.extra) }
}

extension Generation: Codable {
    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.decode("generation", PipevideoFFI.generationFromJson))
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try JSONValue(text: generationJson(generation: core)).encode(to: encoder)
    }
}

// The core passes JSON and decimals as text, in which 5.0 and 5 differ, and an encoder may write
// either. So equality compares the values, here and in `TokenUsage` and `GenerationError`.
extension Generation: Hashable {
    /// Whether all values are equal, except for the signature of the video's address.
    public static func == (left: Generation, right: Generation) -> Bool {
        let (one, other) = (left.core, right.core)
        return one == other
            || (one.id, one.status, one.model, one.engine, one.provider, one.createdAt)
                == (
                    other.id, other.status, other.model, other.engine, other.provider,
                    other.createdAt
                )
                && (one.unsignedURL, one.latencyMs) == (other.unsignedURL, other.latencyMs)
                && (left.usage, left.error, left.output, left.extra)
                    == (right.usage, right.error, right.output, right.extra)
    }

    /// Hashes the id and the status.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(core.id)
        hasher.combine(core.status)
    }
}

extension PipevideoFFI.Generation {
    /// The address of the video without its query, which has the signature.
    fileprivate var unsignedURL: Substring? { outputVideoUrl?.prefix { $0 != "?" && $0 != "#" } }
}

// Left out: the signed URL, and what may quote the prompt.
extension Generation: CustomReflectable {
    /// The properties that are safe to print. ``outputVideoURL`` shows as `hidden`.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "id": id, "status": status, "model": model, "engine": engine,
                "provider": provider, "createdAt": createdAt, "usage": usage, "error": error,
                "latency": latency, "outputVideoURL": outputVideoURL.map { _ in Hidden() },
            ]
        )
    }
}

/// The status of a generation: `queued`, then `inProgress`, then `completed` or `failed`.
///
/// An unknown status has the service's own text as its raw value, and the generation counts as not
/// ended.
public struct Status: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// The service's literal.
    public let rawValue: String

    /// Creates a status from the service's literal.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The service's literal.
    public var description: String { rawValue }

    /// Accepted and not started.
    public static let queued = Status(rawValue: "queued")
    /// Being composed or rendered.
    public static let inProgress = Status(rawValue: "in_progress")
    /// Ended with a video.
    public static let completed = Status(rawValue: "completed")
    /// Ended without a video.
    public static let failed = Status(rawValue: "failed")
}

internal import PipevideoFFI

/// Why a generation failed, in the service's words and as a category.
public struct GenerationError: Sendable {
    let core: PipevideoFFI.GenerationError

    init(_ core: PipevideoFFI.GenerationError) {
        self.core = core
    }

    /// Creates an error, for tests and previews.
    public init(code: String? = nil, message: String? = nil, extra: [String: JSONValue] = [:]) {
        core = PipevideoFFI.GenerationError(
            code: code, message: message, extra: JSONValue.object(extra).text,
            spelling: Spelling(fields: []))
    }

    /// The service's code. Its values are not documented.
    public var code: String? { core.code }

    /// The service's message. It may quote the prompt, so think before you log it.
    public var message: String? { core.message }

    /// The category of the failure, derived from the code and the message.
    public var category: FailureCategory {
        FailureCategory(rawValue: PipevideoFFI.category(error: core))
    }

    /// All fields that have no property here, or that had an unexpected type.
    public var extra: [String: JSONValue] { JSONValue.members(core.extra) }
}

extension GenerationError: Codable {
    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        core = try decoder.decode("generation's error", PipevideoFFI.generationErrorFromJson)
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try JSONValue(text: generationErrorJson(error: core)).encode(to: encoder)
    }
}

extension GenerationError: Hashable {
    /// Whether all values are equal.
    public static func == (left: GenerationError, right: GenerationError) -> Bool {
        left.core == right.core
            || (left.code, left.message, left.extra) == (right.code, right.message, right.extra)
    }

    /// Hashes the code and the message.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
    }
}

// Left out: the message and the unknown fields, which may quote the prompt.
extension GenerationError: CustomReflectable {
    /// The category and the code. ``message`` shows as `hidden`.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "category": category, "code": code, "message": message.map { _ in Hidden() },
            ]
        )
    }
}

/// The category of a failure.
public struct FailureCategory: RawRepresentable, Hashable, Sendable, Codable,
    CustomStringConvertible
{
    /// The literal, the same in every language.
    public let rawValue: String

    /// Creates a category from its literal.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The literal, the same in every language.
    public var description: String { rawValue }

    /// The balance was zero, or the charge failed.
    public static let insufficientCredits = FailureCategory(rawValue: "insufficient_credits")
    /// The provider's orchestration or render pipeline failed.
    public static let provider = FailureCategory(rawValue: "provider")
    /// The engine or the model is not available at the provider.
    public static let unavailable = FailureCategory(rawValue: "unavailable")
    /// The prompt was refused.
    public static let invalidPrompt = FailureCategory(rawValue: "invalid_prompt")
    /// None of the other categories.
    public static let other = FailureCategory(rawValue: "other")
}

import Foundation
internal import PipevideoFFI

/// Tokens and cost of a generation, as far as the service has reported them.
public struct TokenUsage: Sendable {
    let core: PipevideoFFI.TokenUsage

    init(_ core: PipevideoFFI.TokenUsage) {
        self.core = core
    }

    /// Creates a value, for tests and previews.
    public init(
        inputTokens: Int? = nil, outputTokens: Int? = nil, totalTokens: Int? = nil,
        costUSD: Decimal? = nil, extra: [String: JSONValue] = [:]
    ) {
        core = PipevideoFFI.TokenUsage(
            inputTokens: inputTokens.flatMap(UInt64.init(exactly:)),
            outputTokens: outputTokens.flatMap(UInt64.init(exactly:)),
            totalTokens: totalTokens.flatMap(UInt64.init(exactly:)),
            costUsd: costUSD?.description, extra: JSONValue.object(extra).text,
            spelling: Spelling(fields: [])
        )
    }

    /// The number of input tokens.
    public var inputTokens: Int? { core.inputTokens.flatMap(Int.init(exactly:)) }

    /// The number of output tokens.
    public var outputTokens: Int? { core.outputTokens.flatMap(Int.init(exactly:)) }

    /// The sum of both, as the service counts it.
    public var totalTokens: Int? { core.totalTokens.flatMap(Int.init(exactly:)) }

    /// The exact amount that was charged, in US dollars.
    public var costUSD: Decimal? { Decimal(exact: core.costUsd) }

    /// All fields that have no property here, or that had an unexpected type.
    public var extra: [String: JSONValue] { JSONValue.members(core.extra) }
}

extension TokenUsage: Codable {
    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        core = try decoder.decode("token usage", PipevideoFFI.tokenUsageFromJson)
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try JSONValue(text: tokenUsageJson(usage: core)).encode(to: encoder)
    }
}

extension TokenUsage: Hashable {
    /// Whether all values are equal.
    public static func == (left: TokenUsage, right: TokenUsage) -> Bool {
        let (one, other) = (left.core, right.core)
        return one == other
            || (one.inputTokens, one.outputTokens, one.totalTokens, left.costUSD, left.extra)
                == (
                    other.inputTokens, other.outputTokens, other.totalTokens, right.costUSD,
                    right.extra
                )
    }

    /// Hashes the known numbers.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(core.inputTokens)
        hasher.combine(core.outputTokens)
        hasher.combine(core.totalTokens)
        hasher.combine(costUSD)
    }
}

// Left out: the unknown fields, which may hold anything.
extension TokenUsage: CustomReflectable {
    /// The known numbers.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "inputTokens": inputTokens, "outputTokens": outputTokens,
                "totalTokens": totalTokens, "costUSD": costUSD,
            ]
        )
    }
}

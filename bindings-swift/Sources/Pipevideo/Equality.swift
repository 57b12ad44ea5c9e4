internal import PipevideoFFI

// The core hands over JSON and decimals as text, in which 5.0 and 5 differ; an encoder writes either.
// Equality is that of the values.

extension Generation {
    /// Whether both say the same.
    public static func == (left: Generation, right: Generation) -> Bool {
        let (one, other) = (left.core, right.core)
        return one == other
            || (one.id, one.status, one.model, one.engine, one.provider, one.createdAt)
                == (
                    other.id, other.status, other.model, other.engine, other.provider,
                    other.createdAt
                )
                && (one.outputVideoUrl, one.latencyMs) == (other.outputVideoUrl, other.latencyMs)
                && (left.usage, left.error, left.output, left.extra)
                    == (right.usage, right.error, right.output, right.extra)
    }

    /// Hashes what tells generations apart.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(core.id)
        hasher.combine(core.status)
    }
}

extension TokenUsage {
    /// Whether both say the same.
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

extension GenerationError {
    /// Whether both say the same.
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

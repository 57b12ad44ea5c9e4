// A text that is no literal, such as one that somebody has typed, needs no `.text(…)` around it.

extension Pipevideo {
    /// Creates a generation from a text, and waits for its end.
    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    @_disfavoredOverload
    public func generate(
        model: String,
        input: String,
        instructions: String? = nil,
        width: Int? = nil,
        height: Int? = nil,
        aspectRatio: String? = nil,
        provider: ProviderPreference? = nil,
        engine: String? = nil,
        expandPrompt: Bool? = nil,
        extraBody: [String: JSONValue] = [:],
        deadline: Duration? = nil,
        onUpdate: (@Sendable (Update) -> Void)? = nil
    ) async throws -> Generation {
        try await generate(
            model: model, input: .text(input), instructions: instructions, width: width,
            height: height, aspectRatio: aspectRatio, provider: provider, engine: engine,
            expandPrompt: expandPrompt, extraBody: extraBody, deadline: deadline,
            onUpdate: onUpdate
        )
    }
}

extension Responses {
    /// Creates a generation from a text, and returns at once, while it is queued.
    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    @_disfavoredOverload
    public func create(
        model: String,
        input: String,
        instructions: String? = nil,
        width: Int? = nil,
        height: Int? = nil,
        aspectRatio: String? = nil,
        provider: ProviderPreference? = nil,
        engine: String? = nil,
        expandPrompt: Bool? = nil,
        extraBody: [String: JSONValue] = [:]
    ) async throws -> Generation {
        try await create(
            model: model, input: .text(input), instructions: instructions, width: width,
            height: height, aspectRatio: aspectRatio, provider: provider, engine: engine,
            expandPrompt: expandPrompt, extraBody: extraBody
        )
    }
}

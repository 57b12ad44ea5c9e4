// Generated from conformance/surface.json by `cargo xtask generate`; do not edit.

import Foundation

// The properties of a request as arguments. `Input` takes literals only, so each function has an
// overload for a string in a variable. It is disfavoured so that a literal is an `Input`.

extension Responses {
    /// Creates a generation and returns at once, while it is queued. It is ``create(_:options:)``
    /// with the properties of a ``GenerationRequest`` as arguments.
    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func create(
        model: String,
        input: Input,
        instructions: String? = nil,
        width: Int? = nil,
        height: Int? = nil,
        aspectRatio: String? = nil,
        provider: ProviderPreference? = nil,
        engine: String? = nil,
        expandPrompt: Bool? = nil,
        maxCostUSD: Decimal? = nil,
        extraBody: [String: JSONValue] = [:],
        options: CallOptions = CallOptions()
    ) async throws -> Generation {
        try await create(
            GenerationRequest(
                model: model, input: input, instructions: instructions, width: width,
                height: height, aspectRatio: aspectRatio, provider: provider, engine: engine,
                expandPrompt: expandPrompt, maxCostUSD: maxCostUSD, extraBody: extraBody
            ),
            options: options
        )
    }

    /// Creates a generation and returns at once, while it is queued. The input is one text.
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
        maxCostUSD: Decimal? = nil,
        extraBody: [String: JSONValue] = [:],
        options: CallOptions = CallOptions()
    ) async throws -> Generation {
        try await create(
            GenerationRequest(
                model: model, input: .text(input), instructions: instructions, width: width,
                height: height, aspectRatio: aspectRatio, provider: provider, engine: engine,
                expandPrompt: expandPrompt, maxCostUSD: maxCostUSD, extraBody: extraBody
            ),
            options: options
        )
    }
}

extension PipevideoClient {
    /// Creates a generation and waits until it has completed. It is
    /// ``generate(_:deadline:options:isolation:onUpdate:)`` with the properties of a
    /// ``GenerationRequest`` as arguments.
    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func generate(
        model: String,
        input: Input,
        instructions: String? = nil,
        width: Int? = nil,
        height: Int? = nil,
        aspectRatio: String? = nil,
        provider: ProviderPreference? = nil,
        engine: String? = nil,
        expandPrompt: Bool? = nil,
        maxCostUSD: Decimal? = nil,
        extraBody: [String: JSONValue] = [:],
        deadline: Duration? = nil,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onUpdate: ((GenerationUpdate) -> Void)? = nil
    ) async throws -> Generation {
        try await generate(
            GenerationRequest(
                model: model, input: input, instructions: instructions, width: width,
                height: height, aspectRatio: aspectRatio, provider: provider, engine: engine,
                expandPrompt: expandPrompt, maxCostUSD: maxCostUSD, extraBody: extraBody
            ),
            deadline: deadline, options: options, onUpdate: onUpdate
        )
    }

    /// Creates a generation and waits until it has completed. The input is one text.
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
        maxCostUSD: Decimal? = nil,
        extraBody: [String: JSONValue] = [:],
        deadline: Duration? = nil,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onUpdate: ((GenerationUpdate) -> Void)? = nil
    ) async throws -> Generation {
        try await generate(
            GenerationRequest(
                model: model, input: .text(input), instructions: instructions, width: width,
                height: height, aspectRatio: aspectRatio, provider: provider, engine: engine,
                expandPrompt: expandPrompt, maxCostUSD: maxCostUSD, extraBody: extraBody
            ),
            deadline: deadline, options: options, onUpdate: onUpdate
        )
    }
}

// Generated from conformance/surface.json by `cargo xtask generate`; do not edit.

import Foundation
internal import PipevideoFFI

/// A request for a generation: the model, the input and the options.
///
/// ```swift
/// var request = GenerationRequest(
///     model: "moonshotai/kimi-k2.5",
///     input: ["Make the cat walk", .image(file: photo)]
/// )
/// request.aspectRatio = "9:16"
/// let generation = try await client.responses.create(request)
/// ```
public struct GenerationRequest: Hashable, Sendable {
    /// The orchestration model, such as `moonshotai/kimi-k2.5`; not an engine.
    public var model: String
    /// The prompt: a text, the parts of one message, or messages.
    public var input: Input
    /// System-level instructions, apart from the conversation.
    public var instructions: String?
    /// The width of the canvas in pixels; the service's default is 1080.
    public var width: Int?
    /// The height of the canvas in pixels; the service's default is 1920.
    public var height: Int?
    /// The aspect ratio, a hint such as `16:9`.
    public var aspectRatio: String?
    /// The providers that may render the video: slugs by preference, or the API's own object. The
    /// service's default is `framerate`.
    public var provider: ProviderPreference?
    /// The engine that renders: `hyperframes` (the service's default), `lottie` or `auto`.
    public var engine: String?
    /// Whether the service may elaborate the prompt.
    public var expandPrompt: Bool?
    /// The maximum cost of the generation, in US dollars. If even the low estimate exceeds it, the
    /// call fails as `spend_limit`, and nothing is sent. The service does not receive it.
    public var maxCostUSD: Decimal?
    /// Fields that this library does not have yet, sent unchanged.
    public var extraBody: [String: JSONValue]

    /// Creates a request.
    public init(
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
        extraBody: [String: JSONValue] = [:]
    ) {
        self.model = model
        self.input = input
        self.instructions = instructions
        self.width = width
        self.height = height
        self.aspectRatio = aspectRatio
        self.provider = provider
        self.engine = engine
        self.expandPrompt = expandPrompt
        self.maxCostUSD = maxCostUSD
        self.extraBody = extraBody
    }

    func arguments() throws -> Arguments {
        try input.check()
        return Arguments(
            model: model, input: input.core, instructions: instructions,
            width: width.map(Int64.init), height: height.map(Int64.init), aspectRatio: aspectRatio,
            provider: provider?.core, engine: engine, expandPrompt: expandPrompt,
            maxCostUsd: maxCostUSD?.description,
            extraBody: extraBody.isEmpty ? nil : JSONValue.object(extraBody).text
        )
    }
}

// Left out: the prompt, and images and videos of up to 20 MB.
extension GenerationRequest: CustomReflectable {
    /// The properties that are set. Those that may hold the prompt show as `hidden`.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "model": model, "input": Hidden(),
                "instructions": instructions.map { _ in Hidden() }, "width": width,
                "height": height, "aspectRatio": aspectRatio,
                "provider": provider.map { _ in Hidden() }, "engine": engine,
                "expandPrompt": expandPrompt, "maxCostUSD": maxCostUSD,
                "extraBody": extraBody.isEmpty ? nil : Hidden(),
            ]
        )
    }
}

import Foundation
internal import PipevideoFFI

/// The catalogue of engines, models and rates.
public struct Engines: Sendable {
    let core: NativeClient

    /// Lists the engines, the models of each, and the models' rates. The service needs no key for it
    /// and does not count it against the rate limit.
    ///
    /// - Parameter options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func list(options: CallOptions = CallOptions()) async throws -> EngineCatalog {
        try await callCore { cancel in
            EngineCatalog(try await core.engines(options: options.core, cancel: cancel))
        }
    }
}

/// The engines, their models and the models' rates.
///
/// The service does not document this JSON, so it is read leniently. The catalogue is `Codable` in the
/// service's format.
public struct EngineCatalog: Hashable, Sendable, Codable {
    /// All engines that were recognised.
    public let engines: [Engine]
    /// The whole response.
    public let raw: JSONValue

    init(_ core: PipevideoFFI.EngineCatalog) {
        engines = core.engines.map(Engine.init)
        raw = JSONValue(text: core.raw)
    }

    /// Creates a catalogue, for tests and previews.
    public init(engines: [Engine]) {
        self.engines = engines
        raw = ["engines": .array(engines.map(\.json))]
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.decode("catalogue", PipevideoFFI.engineCatalogFromJson))
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try raw.encode(to: encoder)
    }
}

extension EngineCatalog: CustomReflectable {
    /// The engines with their models and rates, without the whole response.
    public var customMirror: Mirror { Mirror(self, showing: ["engines": engines]) }
}

/// An engine that renders videos.
public struct Engine: Hashable, Sendable, Codable, Identifiable {
    /// The name in a request, such as `hyperframes`.
    public let id: String
    /// The orchestration models that the engine supports.
    public let models: [EngineModel]

    /// Creates a value, for tests and previews.
    public init(
        id: String,
        models: [EngineModel] = []
    ) {
        self.id = id
        self.models = models
    }

    init(_ core: PipevideoFFI.Engine) {
        id = core.id
        models = core.models.map(EngineModel.init)
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(
            try decoder.decode("engine") {
                engineCatalogFromJson(json: #"{"engines":[\#($0)]}"#)?.engines.first
            }
        )
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try json.encode(to: encoder)
    }

    var json: JSONValue {
        [
            "id": .string(id),
            "models": .array(models.map(\.json)),
        ]
    }
}

/// An orchestration model and its rates.
public struct EngineModel: Hashable, Sendable, Codable, Identifiable {
    /// The name in a request, such as `moonshotai/kimi-k2.5`.
    public let id: String
    /// US dollars per million input tokens.
    public let inputPerMillionUSD: Decimal?
    /// US dollars per million output tokens.
    public let outputPerMillionUSD: Decimal?

    /// Creates a value, for tests and previews.
    public init(
        id: String,
        inputPerMillionUSD: Decimal? = nil,
        outputPerMillionUSD: Decimal? = nil
    ) {
        self.id = id
        self.inputPerMillionUSD = inputPerMillionUSD
        self.outputPerMillionUSD = outputPerMillionUSD
    }

    init(_ core: PipevideoFFI.EngineModel) {
        id = core.id
        inputPerMillionUSD = Decimal(exact: core.inputPerMillionUsd)
        outputPerMillionUSD = Decimal(exact: core.outputPerMillionUsd)
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(
            try decoder.decode("model") {
                engineCatalogFromJson(json: #"{"engines":[{"id":"-","models":[\#($0)]}]}"#)?.engines
                    .first?.models.first
            }
        )
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try json.encode(to: encoder)
    }

    var json: JSONValue {
        [
            "id": .string(id),
            "input_per_million": JSONValue(inputPerMillionUSD),
            "output_per_million": JSONValue(outputPerMillionUSD),
        ]
    }
}

extension Engine {
    /// The service's default, for ``GenerationRequest/engine``.
    public static let hyperframes = "hyperframes"
    /// An engine for vector animations.
    public static let lottie = "lottie"
    /// The service chooses.
    public static let auto = "auto"
}

import Foundation
internal import PipevideoFFI

/// The catalogue of engines, models and rates.
public struct Engines: Sendable {
    let core: Core

    /// Lists the engines, the models of each, and the models' rates. It needs no key and counts
    /// against no limit.
    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func list() async throws -> EngineCatalog {
        try await call { cancel in EngineCatalog(try await core.engines(cancel: cancel)) }
    }
}

/// The engines and the models' rates, read leniently from a shape that is not documented.
///
/// It is read from and written as the service's JSON.
public struct EngineCatalog: Hashable, Sendable, Codable {
    /// Each engine that could be made out.
    public let engines: [Engine]
    /// The answer as it came.
    public let raw: JSONValue

    init(_ core: PipevideoFFI.EngineCatalog) {
        engines = core.engines.map(Engine.init)
        raw = JSONValue(text: core.raw)
    }

    /// Reads the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.read("catalogue", PipevideoFFI.engineCatalogFromJson))
    }

    /// Writes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try raw.encode(to: encoder)
    }
}

/// An engine that renders videos.
public struct Engine: Hashable, Sendable, Codable, Identifiable {
    /// Its name in a request, such as `hyperframes`.
    public let id: String
    /// The orchestration models that it supports.
    public let models: [EngineModel]

    init(_ core: PipevideoFFI.Engine) {
        id = core.id
        models = core.models.map(EngineModel.init)
    }
}

/// An orchestration model and its rates.
public struct EngineModel: Hashable, Sendable, Codable, Identifiable {
    /// Its name in a request, such as `moonshotai/kimi-k2.5`.
    public let id: String
    /// US dollars per million input tokens.
    public let inputPerMillionUSD: Decimal?
    /// US dollars per million output tokens.
    public let outputPerMillionUSD: Decimal?

    init(_ core: PipevideoFFI.EngineModel) {
        id = core.id
        inputPerMillionUSD = Decimal(exact: core.inputPerMillionUsd)
        outputPerMillionUSD = Decimal(exact: core.outputPerMillionUsd)
    }
}

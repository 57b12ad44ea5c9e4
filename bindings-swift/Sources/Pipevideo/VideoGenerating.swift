import Foundation

/// What an app does with generations: ``PipevideoClient`` conforms, and so does the fake client of the
/// product `PipevideoTesting`.
///
/// Write the parts of an app that make videos against `any VideoGenerating`, and they can be tested and
/// previewed without the service:
///
/// ```swift
/// struct Studio {
///     let client: any VideoGenerating
///
///     func makeVideo(_ prompt: String, _ file: URL) async throws {
///         let request = GenerationRequest(model: "moonshotai/kimi-k2.5", prompt: prompt)
///         try await client.download(client.generate(request), to: file)
///     }
/// }
/// ```
public protocol VideoGenerating: Sendable {
    /// Creates a generation and returns at once: ``Responses/create(_:options:)``.
    func create(_ request: GenerationRequest) async throws -> Generation

    /// Retrieves the current state of a generation: ``Responses/retrieve(_:options:)``.
    func retrieve(_ id: String) async throws -> Generation

    /// Waits until a generation has completed:
    /// ``Responses/wait(for:deadline:options:isolation:onUpdate:)-wazm``.
    func wait(
        for id: String, deadline: Duration?, isolation: isolated (any Actor)?,
        onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation

    /// Returns the changes of a generation: ``Responses/updates(for:deadline:options:)-51jes``.
    func updates(for id: String, deadline: Duration?) -> GenerationUpdates

    /// Creates a generation and waits until it has completed:
    /// ``PipevideoClient/generate(_:deadline:options:isolation:onUpdate:)``.
    func generate(
        _ request: GenerationRequest, deadline: Duration?, isolation: isolated (any Actor)?,
        onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation

    /// Downloads the video of a generation to a file.
    @discardableResult
    func download(
        _ generation: Generation, to file: URL, isolation: isolated (any Actor)?,
        onProgress: ((DownloadProgress) -> Void)?
    ) async throws -> URL

    /// Finds the generations that an uncertain create may have made:
    /// ``Responses/candidates(for:options:)``.
    func candidates(for error: PipevideoError) async throws -> Candidates
}

extension VideoGenerating {
    /// Waits until a generation has completed, with the client's deadline.
    public func wait(
        for id: String, isolation: isolated (any Actor)? = #isolation,
        onUpdate: ((GenerationUpdate) -> Void)? = nil
    ) async throws -> Generation {
        try await wait(for: id, deadline: nil, isolation: isolation, onUpdate: onUpdate)
    }

    /// Returns the changes of a generation, with the client's deadline.
    public func updates(for id: String) -> GenerationUpdates { updates(for: id, deadline: nil) }

    /// Creates a generation and waits until it has completed, with the client's deadline.
    public func generate(
        _ request: GenerationRequest, isolation: isolated (any Actor)? = #isolation,
        onUpdate: ((GenerationUpdate) -> Void)? = nil
    ) async throws -> Generation {
        try await generate(request, deadline: nil, isolation: isolation, onUpdate: onUpdate)
    }

    /// Downloads the video of a generation to a file.
    @discardableResult
    public func download(
        _ generation: Generation, to file: URL, isolation: isolated (any Actor)? = #isolation
    ) async throws -> URL {
        try await download(generation, to: file, isolation: isolation, onProgress: nil)
    }
}

// The operations of `responses`, since a protocol has no namespaces.
extension PipevideoClient: VideoGenerating {
    /// Creates a generation and returns at once, as ``Responses/create(_:options:)``.
    public func create(_ request: GenerationRequest) async throws -> Generation {
        try await responses.create(request)
    }

    /// Retrieves the current state of a generation, as ``Responses/retrieve(_:options:)``.
    public func retrieve(_ id: String) async throws -> Generation {
        try await responses.retrieve(id)
    }

    /// Waits until a generation has completed, as
    /// ``Responses/wait(for:deadline:options:isolation:onUpdate:)-wazm``.
    public func wait(
        for id: String, deadline: Duration?, isolation: isolated (any Actor)?,
        onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation {
        try await responses.wait(
            for: id, deadline: deadline, isolation: isolation, onUpdate: onUpdate)
    }

    /// Returns the changes of a generation, as ``Responses/updates(for:deadline:options:)-51jes``.
    public func updates(for id: String, deadline: Duration?) -> GenerationUpdates {
        responses.updates(for: id, deadline: deadline)
    }

    /// Creates a generation and waits until it has completed.
    public func generate(
        _ request: GenerationRequest, deadline: Duration?, isolation: isolated (any Actor)?,
        onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation {
        try await generate(
            request, deadline: deadline, options: CallOptions(), isolation: isolation,
            onUpdate: onUpdate)
    }

    /// Downloads the video of a generation to a file.
    @discardableResult
    public func download(
        _ generation: Generation, to file: URL, isolation: isolated (any Actor)?,
        onProgress: ((DownloadProgress) -> Void)?
    ) async throws -> URL {
        try await responses.download(
            generation, to: file, isolation: isolation, onProgress: onProgress)
    }

    /// Finds the generations that an uncertain create may have made, as
    /// ``Responses/candidates(for:options:)``.
    public func candidates(for error: PipevideoError) async throws -> Candidates {
        try await responses.candidates(for: error)
    }
}

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
    func create(_ request: GenerationRequest, options: CallOptions) async throws -> Generation

    /// Retrieves the current state of a generation: ``Responses/retrieve(_:options:)``.
    func retrieve(_ id: String, options: CallOptions) async throws -> Generation

    /// Waits until a generation has completed:
    /// ``Responses/wait(for:deadline:options:isolation:onUpdate:)-wazm``.
    func wait(
        for id: String, deadline: Duration?, options: CallOptions,
        isolation: isolated (any Actor)?, onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation

    /// Returns the changes of a generation: ``Responses/updates(for:deadline:options:)-51jes``.
    func updates(
        for id: String, deadline: Duration?, options: CallOptions
    ) -> GenerationUpdates

    /// Creates a generation and waits until it has completed:
    /// ``PipevideoClient/generate(_:deadline:options:isolation:onUpdate:)``.
    func generate(
        _ request: GenerationRequest, deadline: Duration?, options: CallOptions,
        isolation: isolated (any Actor)?, onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation

    /// Downloads the video of a generation to a file.
    @discardableResult
    func download(
        _ generation: Generation, to file: URL, maxBytes: Int?, options: CallOptions,
        isolation: isolated (any Actor)?, onProgress: ((DownloadProgress) -> Void)?
    ) async throws -> URL

    /// Returns the bytes of a generation's video as they arrive.
    func stream(
        _ generation: Generation, maxBytes: Int?, options: CallOptions
    ) -> VideoStream

    /// Finds the generations that an uncertain create may have made:
    /// ``Responses/candidates(for:options:)``.
    func candidates(for error: PipevideoError, options: CallOptions) async throws -> Candidates
}

// The default arguments, which requirements cannot have. No function here has the type of a requirement:
// a conforming type that lacks one would compile, and call itself without end.
extension VideoGenerating {
    /// Creates a generation and returns at once.
    public func create(_ request: GenerationRequest) async throws -> Generation {
        try await create(request, options: CallOptions())
    }

    /// Retrieves the current state of a generation.
    public func retrieve(_ id: String) async throws -> Generation {
        try await retrieve(id, options: CallOptions())
    }

    /// Waits until a generation has completed.
    public func wait(
        for id: String, deadline: Duration? = nil, options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation
    ) async throws -> Generation {
        try await wait(
            for: id, deadline: deadline, options: options, isolation: isolation, onUpdate: nil)
    }

    /// Waits until a generation has completed, and calls a function with each change, on the actor of the
    /// caller.
    public func wait(
        for id: String, deadline: Duration? = nil, options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onUpdate: @escaping (GenerationUpdate) -> Void
    ) async throws -> Generation {
        try await wait(
            for: id, deadline: deadline, options: options, isolation: isolation,
            onUpdate: Optional(onUpdate))
    }

    /// Returns the changes of a generation.
    public func updates(for id: String, options: CallOptions = CallOptions()) -> GenerationUpdates {
        updates(for: id, deadline: nil, options: options)
    }

    /// Returns the changes of a generation until a deadline.
    public func updates(for id: String, deadline: Duration) -> GenerationUpdates {
        updates(for: id, deadline: deadline, options: CallOptions())
    }

    /// Creates a generation and waits until it has completed.
    public func generate(
        _ request: GenerationRequest, deadline: Duration? = nil,
        options: CallOptions = CallOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> Generation {
        try await generate(
            request, deadline: deadline, options: options, isolation: isolation, onUpdate: nil)
    }

    /// Creates a generation and waits until it has completed, and calls a function with each change, on
    /// the actor of the caller.
    public func generate(
        _ request: GenerationRequest, deadline: Duration? = nil,
        options: CallOptions = CallOptions(), isolation: isolated (any Actor)? = #isolation,
        onUpdate: @escaping (GenerationUpdate) -> Void
    ) async throws -> Generation {
        try await generate(
            request, deadline: deadline, options: options, isolation: isolation,
            onUpdate: Optional(onUpdate))
    }

    /// Downloads the video of a generation to a file.
    @discardableResult
    public func download(
        _ generation: Generation, to file: URL, maxBytes: Int? = nil,
        options: CallOptions = CallOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> URL {
        try await download(
            generation, to: file, maxBytes: maxBytes, options: options, isolation: isolation,
            onProgress: nil)
    }

    /// Downloads the video of a generation to a file, and calls a function with the progress, on the actor
    /// of the caller.
    @discardableResult
    public func download(
        _ generation: Generation, to file: URL, maxBytes: Int? = nil,
        options: CallOptions = CallOptions(), isolation: isolated (any Actor)? = #isolation,
        onProgress: @escaping (DownloadProgress) -> Void
    ) async throws -> URL {
        try await download(
            generation, to: file, maxBytes: maxBytes, options: options, isolation: isolation,
            onProgress: Optional(onProgress))
    }

    /// Returns the bytes of a generation's video as they arrive.
    public func stream(
        _ generation: Generation, options: CallOptions = CallOptions()
    ) -> VideoStream {
        stream(generation, maxBytes: nil, options: options)
    }

    /// Finds the generations that an uncertain create may have made.
    public func candidates(for error: PipevideoError) async throws -> Candidates {
        try await candidates(for: error, options: CallOptions())
    }
}

// The operations of `responses`, since a protocol has no namespaces.
extension PipevideoClient: VideoGenerating {
    /// Creates a generation and returns at once, as ``Responses/create(_:options:)``.
    public func create(
        _ request: GenerationRequest, options: CallOptions
    ) async throws -> Generation {
        try await responses.create(request, options: options)
    }

    /// Retrieves the current state of a generation, as ``Responses/retrieve(_:options:)``.
    public func retrieve(_ id: String, options: CallOptions) async throws -> Generation {
        try await responses.retrieve(id, options: options)
    }

    /// Waits until a generation has completed, as
    /// ``Responses/wait(for:deadline:options:isolation:onUpdate:)-wazm``.
    public func wait(
        for id: String, deadline: Duration?, options: CallOptions,
        isolation: isolated (any Actor)?, onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation {
        try await responses.wait(
            for: id, deadline: deadline, options: options, isolation: isolation,
            onUpdate: onUpdate)
    }

    /// Returns the changes of a generation, as ``Responses/updates(for:deadline:options:)-51jes``.
    public func updates(
        for id: String, deadline: Duration?, options: CallOptions
    ) -> GenerationUpdates {
        responses.updates(for: id, deadline: deadline, options: options)
    }

    /// Downloads the video of a generation to a file.
    @discardableResult
    public func download(
        _ generation: Generation, to file: URL, maxBytes: Int?, options: CallOptions,
        isolation: isolated (any Actor)?, onProgress: ((DownloadProgress) -> Void)?
    ) async throws -> URL {
        try await responses.download(
            generation, to: file, maxBytes: maxBytes, options: options, isolation: isolation,
            onProgress: onProgress)
    }

    /// Returns the bytes of a generation's video as they arrive.
    public func stream(
        _ generation: Generation, maxBytes: Int?, options: CallOptions
    ) -> VideoStream {
        responses.stream(generation, maxBytes: maxBytes, options: options)
    }

    /// Finds the generations that an uncertain create may have made, as
    /// ``Responses/candidates(for:options:)``.
    public func candidates(
        for error: PipevideoError, options: CallOptions
    ) async throws -> Candidates {
        try await responses.candidates(for: error, options: options)
    }
}

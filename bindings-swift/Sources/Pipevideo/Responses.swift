import Foundation
internal import PipevideoFFI

/// Creates, retrieves, waits for and downloads generations.
public struct Responses: Sendable {
    let core: NativeClient

    /// Creates a generation and returns at once, while it is queued.
    ///
    /// The request is sent again only if the service certainly did not process it. If the response is
    /// lost, the error is of kind `submission_uncertain`: call ``candidates(for:options:)`` before
    /// you create another generation.
    ///
    /// A task that is cancelled before the request may have been sent throws `CancellationError`, and
    /// nothing was created. After that a generation may exist and be billed, so the error is of kind
    /// `submission_uncertain` too, with `CancellationError` as its ``PipevideoError/cause``.
    ///
    /// - Parameters:
    ///   - request: The model, the input and the options of the generation.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled before the request
    ///   may have been sent.
    public func create(
        _ request: GenerationRequest, options: CallOptions = CallOptions()
    ) async throws -> Generation {
        let arguments = try request.arguments()
        return try await callCore { cancel in
            Generation(
                answered: try await core.create(
                    arguments: arguments, options: options.core, cancel: cancel))
        }
    }

    /// Retrieves the current state of a generation.
    ///
    /// - Parameters:
    ///   - id: The generation's id.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func retrieve(
        _ id: String, options: CallOptions = CallOptions()
    ) async throws -> Generation {
        try await callCore { cancel in
            Generation(
                answered: try await core.retrieve(id: id, options: options.core, cancel: cancel))
        }
    }

    /// Waits until a generation has completed.
    ///
    /// The wait polls the generation until it has ended, until the deadline, or until the task is
    /// cancelled. Transient failures do not end it. Waits for the same id share their polls.
    /// Cancelling the task stops the wait, not the generation.
    ///
    /// - Parameters:
    ///   - id: The generation's id. Another process or machine may have created it.
    ///   - deadline: The maximum duration of the wait; `nil` means
    ///     ``PipevideoClient/Configuration/deadline``.
    ///   - options: The options of this call, in place of the client's.
    ///   - isolation: The actor on which `onUpdate` is called: that of the caller.
    ///   - onUpdate: Called with each change, before this function returns, and in between with the
    ///     estimated progress, so that a bar moves.
    /// - Returns: The completed generation.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled. A generation that
    ///   fails is an error of kind `generation_failed`.
    public func wait(
        for id: String,
        deadline: Duration? = nil,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onUpdate: ((GenerationUpdate) -> Void)? = nil
    ) async throws -> Generation {
        let deadline = deadline?.inSeconds
        @Sendable func wait(_ cancel: CancelHandle, _ updates: Updates?) async throws -> Generation
        {
            Generation(
                try await core.wait(
                    id: id, deadline: deadline, updates: updates, options: options.core,
                    cancel: cancel))
        }
        guard let onUpdate else { return try await callCore { try await wait($0, nil) } }
        return try await callCore(
            reports: Updates(), to: { onUpdate(GenerationUpdate($0)) }, wait)
    }

    /// Waits until a generation has completed, given in place of its id.
    public func wait(
        for generation: Generation,
        deadline: Duration? = nil,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onUpdate: ((GenerationUpdate) -> Void)? = nil
    ) async throws -> Generation {
        try await wait(
            for: generation.id, deadline: deadline, options: options, isolation: isolation,
            onUpdate: onUpdate)
    }

    /// Returns the changes of a generation, one after another, until it has ended.
    ///
    /// ```swift
    /// for try await update in client.responses.updates(for: generation.id) {
    ///     print(update.generation.status, update.elapsed)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - id: The generation's id.
    ///   - deadline: The maximum duration, from the start of the loop; `nil` means
    ///     ``PipevideoClient/Configuration/deadline``.
    ///   - options: The options of this call, in place of the client's.
    public func updates(
        for id: String, deadline: Duration? = nil, options: CallOptions = CallOptions()
    ) -> GenerationUpdates {
        GenerationUpdates(core: core, id: id, deadline: deadline, options: options)
    }

    /// Returns the changes of a generation, given in place of its id.
    public func updates(
        for generation: Generation, deadline: Duration? = nil, options: CallOptions = CallOptions()
    ) -> GenerationUpdates {
        updates(for: generation.id, deadline: deadline, options: options)
    }

    /// Downloads the video of a generation to a file.
    ///
    /// The file appears when the download is complete. Until then the bytes are in `FILE.part`, and
    /// the next attempt resumes from them. The API key is never sent to the host of the video.
    ///
    /// - Parameters:
    ///   - generation: The generation. If this snapshot has not completed, it is retrieved again.
    ///   - file: The file URL. An existing file is replaced.
    ///   - maxBytes: The maximum size of the file; 10 GiB by default. A larger video is not stored.
    ///   - options: The options of this call, in place of the client's.
    ///   - isolation: The actor on which `onProgress` is called: that of the caller.
    ///   - onProgress: Called when bytes have arrived, with the latest progress.
    /// - Returns: The file URL.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    @discardableResult
    public func download(
        _ generation: Generation,
        to file: URL,
        maxBytes: Int? = nil,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onProgress: ((DownloadProgress) -> Void)? = nil
    ) async throws -> URL {
        try await download(
            .generation(generation: generation.core), file, maxBytes, options, onProgress)
    }

    /// Downloads the video of the generation with this id to a file.
    ///
    /// - Parameters:
    ///   - id: The id of a completed generation.
    ///   - file: The file URL. An existing file is replaced.
    ///   - maxBytes: The maximum size of the file; 10 GiB by default. A larger video is not stored.
    ///   - options: The options of this call, in place of the client's.
    ///   - isolation: The actor on which `onProgress` is called: that of the caller.
    ///   - onProgress: Called when bytes have arrived, with the latest progress.
    /// - Returns: The file URL.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    @discardableResult
    public func download(
        _ id: String,
        to file: URL,
        maxBytes: Int? = nil,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onProgress: ((DownloadProgress) -> Void)? = nil
    ) async throws -> URL {
        try await download(.id(id: id), file, maxBytes, options, onProgress)
    }

    private func download(
        _ video: Video,
        _ file: URL,
        _ maxBytes: Int?,
        _ options: CallOptions,
        isolation: isolated (any Actor)? = #isolation,
        _ onProgress: ((DownloadProgress) -> Void)?
    ) async throws -> URL {
        guard file.isFileURL else {
            throw PipevideoError(
                .invalidRequest,
                "the destination of the download is not a file URL. Create one with URL(filePath:)."
            )
        }
        let maxBytes = maxBytes.map(UInt64.init(clamping:))
        @Sendable func download(_ cancel: CancelHandle, _ reports: DownloadReports?) async throws {
            try await core.download(
                video: video, path: file.path, maxBytes: maxBytes, reports: reports,
                options: options.core, cancel: cancel)
        }
        if let onProgress {
            try await callCore(
                reports: DownloadReports(), to: { onProgress(DownloadProgress($0)) }, download)
        } else {
            try await callCore { try await download($0, nil) }
        }
        return file
    }

    /// Finds the generations that an uncertain create may have made, the most likely one first. Other
    /// languages call this `reconcile`.
    ///
    /// They are candidates: compare them with what you requested before you continue with one. If
    /// there are none, and the list covers the create, wait a little and search again before you
    /// create another generation.
    ///
    /// - Parameters:
    ///   - error: The error of the create, of kind `submission_uncertain`.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func candidates(
        for error: PipevideoError, options: CallOptions = CallOptions()
    ) async throws -> Candidates {
        guard let model = error.model, let sentAt = error.sentAt else {
            throw PipevideoError(
                .invalidRequest,
                "candidates(for:) takes the error of an uncertain create (submission_uncertain)."
            )
        }
        return try await callCore { cancel in
            Candidates(
                try await core.reconcile(
                    model: model, sentAt: sentAt.inRange, generationId: error.generationID,
                    options: options.core, cancel: cancel
                )
            )
        }
    }
}

/// The progress of a download.
public struct DownloadProgress: Hashable, Sendable {
    /// The number of bytes on disk.
    public let downloaded: Int
    /// The size of the whole file in bytes, if the host has sent it.
    public let total: Int?

    /// Creates a value, for tests and previews.
    public init(downloaded: Int, total: Int? = nil) {
        self.downloaded = downloaded
        self.total = total
    }

    init(_ core: DownloadReport) {
        downloaded = Int(clamping: core.downloaded)
        total = core.total.map { Int(clamping: $0) }
    }
}

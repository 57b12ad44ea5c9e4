import Foundation
internal import PipevideoFFI

/// Generations: create, retrieve, wait, follow, download, reconcile.
public struct Responses: Sendable {
    let core: Core

    /// Creates a generation and returns at once, while it is queued.
    ///
    /// It is sent again only when the service certainly did not take it. If its answer is lost, the
    /// error's kind is `submission_uncertain`: look with ``reconcile(_:)`` before you create another.
    /// Cancelling the task may leave a generation behind whose id nobody has.
    ///
    /// ```swift
    /// let generation = try await client.responses.create(
    ///     model: "moonshotai/kimi-k2.5",
    ///     input: [.text("Let it walk"), .image(file: URL(filePath: "cat.png"))]
    /// )
    /// ```
    ///
    /// - Parameters:
    ///   - model: The orchestration model, such as `moonshotai/kimi-k2.5`; not an engine.
    ///   - input: What to make the video from.
    ///   - instructions: Guidance apart from the conversation.
    ///   - width: Canvas width in pixels.
    ///   - height: Canvas height in pixels.
    ///   - aspectRatio: A hint such as `16:9`.
    ///   - provider: Which providers may render it.
    ///   - engine: `hyperframes`, `lottie` or `auto`.
    ///   - expandPrompt: Whether the service may elaborate the prompt.
    ///   - extraBody: Fields that this library does not know yet, sent as they are.
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
        extraBody: [String: JSONValue] = [:]
    ) async throws -> Generation {
        let arguments = try Arguments(
            model: model, input: input, instructions: instructions, width: width, height: height,
            aspectRatio: aspectRatio, provider: provider, engine: engine,
            expandPrompt: expandPrompt, extraBody: extraBody
        )
        return try await call { cancel in
            Generation(try await core.create(arguments: arguments, cancel: cancel))
        }
    }

    /// Retrieves a generation as it is now.
    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func retrieve(_ id: String) async throws -> Generation {
        try await call { cancel in Generation(try await core.retrieve(id: id, cancel: cancel)) }
    }

    /// Waits until a generation has completed.
    ///
    /// A passing fault never ends it: only the generation's end, the deadline, or you. Waits of the
    /// same id share their looks. Cancelling the task stops the wait, never the generation.
    ///
    /// - Parameters:
    ///   - id: The generation's id; it may be from another process or machine.
    ///   - deadline: Bounds the wait; by default the client's deadline.
    ///   - onUpdate: Called with each change, on a thread of the library; it holds up this call alone.
    /// - Returns: The generation, completed.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func wait(
        for id: String,
        deadline: Duration? = nil,
        onUpdate: (@Sendable (Update) -> Void)? = nil
    ) async throws -> Generation {
        try await call { cancel in
            Generation(
                try await core.wait(
                    id: id, deadline: deadline?.inSeconds,
                    listener: onUpdate.map(UpdateObserver.init), cancel: cancel
                )
            )
        }
    }

    /// Follows a generation: every change, then the end.
    ///
    /// ```swift
    /// for try await update in client.responses.updates(for: generation.id) {
    ///     print(update.generation.status, update.elapsed)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - id: The generation's id.
    ///   - deadline: Bounds it, from the first update that is asked for; by default the client's
    ///     deadline.
    public func updates(for id: String, deadline: Duration? = nil) -> Updates {
        Updates(core: core, id: id, deadline: deadline)
    }

    /// Downloads a generation's video to a file.
    ///
    /// Under its own name there is never half a video: what has arrived is in `PATH.part`, and the
    /// next try goes on from there. The key never goes to the video's host.
    ///
    /// - Parameters:
    ///   - generation: The generation; it is fetched again if it had not completed.
    ///   - file: The file's URL. What is there already is replaced.
    ///   - onProgress: Called each time that bytes have arrived, on a thread of the library; it holds
    ///     up this call alone.
    /// - Returns: The file's URL.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    @discardableResult
    public func download(
        _ generation: Generation,
        to file: URL,
        onProgress: (@Sendable (DownloadProgress) -> Void)? = nil
    ) async throws -> URL {
        try await download(.generation(generation: generation.core), file, onProgress)
    }

    /// Downloads a generation's video, by its id, to a file.
    ///
    /// - Parameters:
    ///   - id: The id of a generation that has completed.
    ///   - file: The file's URL. What is there already is replaced.
    ///   - onProgress: Called each time that bytes have arrived, on a thread of the library; it holds
    ///     up this call alone.
    /// - Returns: The file's URL.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    @discardableResult
    public func download(
        _ id: String,
        to file: URL,
        onProgress: (@Sendable (DownloadProgress) -> Void)? = nil
    ) async throws -> URL {
        try await download(.id(id: id), file, onProgress)
    }

    private func download(
        _ video: Video,
        _ file: URL,
        _ onProgress: (@Sendable (DownloadProgress) -> Void)?
    ) async throws -> URL {
        guard file.isFileURL else {
            throw PipevideoError(
                .invalidRequest, "a download goes to a file's URL. Make one with URL(filePath:)."
            )
        }
        return try await call { cancel in
            try await core.download(
                video: video, path: file.path,
                listener: onProgress.map(DownloadObserver.init), cancel: cancel
            )
            return file
        }
    }

    /// Finds the generations that an uncertain create may have made, nearest in time first.
    ///
    /// They are candidates; the decision is yours. With none, wait a little and ask again before you
    /// create another.
    ///
    /// - Parameter error: The error of the create, of the kind `submission_uncertain`.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func reconcile(_ error: PipevideoError) async throws -> [RecentRequest] {
        guard let model = error.model, let sentAt = error.sentAt else {
            throw PipevideoError(
                .invalidRequest,
                "reconcile takes the error of an uncertain create (submission_uncertain)."
            )
        }
        return try await call { cancel in
            try await core.reconcile(model: model, sentAt: sentAt, cancel: cancel)
                .map(RecentRequest.init)
        }
    }
}

/// A generation as it changes: every change, then the end.
///
/// A generation that fails ends it with an update whose status is `failed`, not with an error.
/// Leaving the loop stops following, never the generation. Each loop over it follows anew.
public struct Updates: AsyncSequence, Sendable {
    /// What it yields.
    public typealias Element = Update

    let core: Core
    let id: String
    let deadline: Duration?

    /// Begins to follow.
    public func makeAsyncIterator() -> Iterator {
        Iterator(watch: core.watch(id: id, deadline: deadline?.inSeconds))
    }

    /// Follows a generation. When it is gone, following stops.
    public struct Iterator: AsyncIteratorProtocol {
        let watch: Watch

        /// The next change, or `nil` after the end.
        ///
        /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
        public mutating func next() async throws -> Update? {
            let watch = watch
            return try await call { cancel in
                try await watch.next(cancel: cancel).map(Update.init)
            }
        }
    }
}

/// How far a download is.
public struct DownloadProgress: Hashable, Sendable {
    /// Bytes on the disk.
    public let downloaded: Int
    /// Bytes of the whole file, if the host has told.
    public let total: Int?
}

final class UpdateObserver: UpdateListener {
    let function: @Sendable (Update) -> Void

    init(_ function: @escaping @Sendable (Update) -> Void) {
        self.function = function
    }

    func updated(update: PipevideoFFI.Update) {
        function(Update(update))
    }
}

final class DownloadObserver: DownloadListener {
    let function: @Sendable (DownloadProgress) -> Void

    init(_ function: @escaping @Sendable (DownloadProgress) -> Void) {
        self.function = function
    }

    func progressed(downloaded: UInt64, total: UInt64?) {
        let total = total.map { Int(clamping: $0) }
        function(DownloadProgress(downloaded: Int(clamping: downloaded), total: total))
    }
}

import Foundation
internal import PipevideoFFI

/// The bytes of a generation's video as they arrive, one chunk after another.
///
/// Nothing is requested before the first `next()`, and nothing is received while the loop does something
/// else, so that a slow reader takes no memory. A connection that breaks is continued where it stopped,
/// if the host identifies the version of the video; a video that has changed in between is an error.
/// Leaving the loop closes the connection. Each loop over the sequence requests the video anew.
public struct VideoStream: AsyncSequence, Sendable {
    /// The type of the elements.
    public typealias Element = Data

    private let start: @Sendable () -> @Sendable () async throws -> Data?

    /// Creates a sequence from a function, for tests and previews.
    ///
    /// - Parameter start: Called once for each loop. It returns the iterator's `next`.
    public init(_ start: @escaping @Sendable () -> @Sendable () async throws -> Data?) {
        self.start = start
    }

    init(core: NativeClient, video: Video, maxBytes: Int?, options: CallOptions) {
        self.init {
            let chunks = core.stream(
                video: video, maxBytes: maxBytes.map(UInt64.init(clamping:)), options: options.core)
            return {
                try await callCore { cancel in try await chunks.next(cancel: cancel) }
            }
        }
    }

    /// Requests the video with the iterator's first `next()`.
    public func makeAsyncIterator() -> Iterator {
        Iterator(chunk: start())
    }

    /// Receives a video until the iterator is deallocated.
    public struct Iterator: AsyncIteratorProtocol {
        let chunk: @Sendable () async throws -> Data?

        /// Returns the next chunk, or `nil` after the last one.
        ///
        /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
        public mutating func next() async throws -> Data? {
            try await chunk()
        }
    }
}

extension Responses {
    /// Returns the bytes of a generation's video as they arrive.
    ///
    /// ```swift
    /// for try await chunk in client.responses.stream(generation) {
    ///     try handle.write(contentsOf: chunk)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - generation: The generation. If this snapshot has not completed, it is retrieved again.
    ///   - maxBytes: The maximum size of the video; 10 GiB by default. A larger one is an error.
    ///   - options: The options of this call, in place of the client's.
    public func stream(
        _ generation: Generation, maxBytes: Int? = nil, options: CallOptions = CallOptions()
    ) -> VideoStream {
        VideoStream(
            core: core, video: .generation(generation: generation.core), maxBytes: maxBytes,
            options: options)
    }

    /// Returns the bytes of the video of the generation with this id as they arrive.
    ///
    /// - Parameters:
    ///   - id: The id of a completed generation.
    ///   - maxBytes: The maximum size of the video; 10 GiB by default. A larger one is an error.
    ///   - options: The options of this call, in place of the client's.
    public func stream(
        _ id: String, maxBytes: Int? = nil, options: CallOptions = CallOptions()
    ) -> VideoStream {
        VideoStream(core: core, video: .id(id: id), maxBytes: maxBytes, options: options)
    }

    /// Receives the video of a generation into memory.
    ///
    /// - Parameters:
    ///   - generation: The generation. If this snapshot has not completed, it is retrieved again.
    ///   - maxBytes: The maximum size of the video; 256 MiB by default. A larger one is an error.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func data(
        _ generation: Generation, maxBytes: Int? = nil, options: CallOptions = CallOptions()
    ) async throws -> Data {
        try await data(.generation(generation: generation.core), maxBytes, options)
    }

    /// Receives the video of the generation with this id into memory.
    ///
    /// - Parameters:
    ///   - id: The id of a completed generation.
    ///   - maxBytes: The maximum size of the video; 256 MiB by default. A larger one is an error.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func data(
        _ id: String, maxBytes: Int? = nil, options: CallOptions = CallOptions()
    ) async throws -> Data {
        try await data(.id(id: id), maxBytes, options)
    }

    private func data(_ video: Video, _ maxBytes: Int?, _ options: CallOptions) async throws -> Data
    {
        try await callCore { cancel in
            try await core.bytes(
                video: video, maxBytes: maxBytes.map(UInt64.init(clamping:)), options: options.core,
                cancel: cancel)
        }
    }
}

internal import PipevideoFFI

/// A change of a generation.
public struct GenerationUpdate: Hashable, Sendable, Codable {
    /// The generation after the change.
    public let generation: Generation
    /// The time since the generation was created; an estimate if the service does not report when.
    public let elapsed: Duration
    /// The time in which half of such generations end.
    public let expected: Duration
    /// The estimated progress from 0 to 1, for a progress bar. It never goes backwards, and is 1 with
    /// the last update and not before.
    public let progress: Double
    /// How the client learned of the change.
    public let via: Via

    init(_ core: PipevideoFFI.Update) {
        generation = Generation(core.generation)
        elapsed = .seconds(core.elapsed)
        expected = .seconds(core.expected)
        progress = core.progress
        via = Via(rawValue: core.via)
    }
}

/// How the client learned of a change.
public struct Via: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// The literal, the same in every language.
    public let rawValue: String

    /// Creates a value from its literal.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The literal, the same in every language.
    public var description: String { rawValue }

    /// A scheduled poll.
    public static let poll = Via(rawValue: "poll")
    /// A poll that a webhook caused.
    public static let webhook = Via(rawValue: "webhook")
}

/// The changes of a generation, one after another, until it has ended.
///
/// A generation that fails is the last update, with the status `failed`, and not an error. Leaving the
/// loop stops polling, not the generation. Each loop over the sequence polls anew.
public struct GenerationUpdates: AsyncSequence, Sendable {
    /// The type of the elements.
    public typealias Element = GenerationUpdate

    let core: NativeClient
    let id: String
    let deadline: Duration?
    let options: CallOptions

    /// Starts to poll with the iterator's first `next()`.
    public func makeAsyncIterator() -> Iterator {
        Iterator(
            watch: core.watch(id: id, deadline: deadline?.inSeconds, options: options.core))
    }

    /// Polls a generation until the iterator is deallocated.
    public struct Iterator: AsyncIteratorProtocol {
        let watch: Watch

        /// Returns the next change, or `nil` after the last one.
        ///
        /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
        public mutating func next() async throws -> GenerationUpdate? {
            let watch = watch
            return try await callCore { cancel in
                try await watch.next(cancel: cancel).map(GenerationUpdate.init)
            }
        }
    }
}

import Foundation
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

    /// Creates an update, for tests and previews.
    public init(
        generation: Generation, elapsed: Duration = .zero, expected: Duration = .seconds(90),
        progress: Double = 0, via: Via = .poll
    ) {
        self.generation = generation
        self.elapsed = elapsed
        self.expected = expected
        self.progress = progress
        self.via = via
    }

    /// Decodes what ``encode(to:)`` has written.
    public init(from decoder: any Decoder) throws {
        self = try decoder.decodeMembers("generation's update") { json in
            let core = json["generation"].flatMap { generationFromJson(json: $0.text) }
            guard let core, let elapsed = json["elapsed"]?.duration,
                let expected = json["expected"]?.duration,
                let progress = json["progress"]?.decimal, let via = json["via"]?.stringValue
            else { return nil }
            return GenerationUpdate(
                generation: Generation(core), elapsed: elapsed, expected: expected,
                progress: NSDecimalNumber(decimal: progress).doubleValue, via: Via(rawValue: via)
            )
        }
    }

    /// Encodes the properties, with the generation in the service's JSON and times in seconds.
    public func encode(to encoder: any Encoder) throws {
        let json: JSONValue = [
            "generation": JSONValue(text: generationJson(generation: generation.core)),
            "elapsed": JSONValue(seconds: elapsed), "expected": JSONValue(seconds: expected),
            "progress": JSONValue(floatLiteral: progress), "via": .string(via.rawValue),
        ]
        try json.encode(to: encoder)
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

    private let start: @Sendable () -> @Sendable () async throws -> GenerationUpdate?

    /// Creates a sequence from a function, for tests and previews.
    ///
    /// - Parameter start: Called once for each loop. It returns the iterator's `next`.
    public init(_ start: @escaping @Sendable () -> @Sendable () async throws -> GenerationUpdate?) {
        self.start = start
    }

    init(core: NativeClient, id: String, deadline: Duration?, options: CallOptions) {
        self.init {
            let watch = core.watch(
                id: id, deadline: deadline?.inSeconds, options: options.core)
            return {
                try await callCore { cancel in
                    try await watch.next(cancel: cancel).map(GenerationUpdate.init)
                }
            }
        }
    }

    /// Starts to poll with the iterator's first `next()`.
    public func makeAsyncIterator() -> Iterator {
        Iterator(update: start())
    }

    /// Polls a generation until the iterator is deallocated.
    public struct Iterator: AsyncIteratorProtocol {
        let update: @Sendable () async throws -> GenerationUpdate?

        /// Returns the next change, or `nil` after the last one.
        ///
        /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
        public mutating func next() async throws -> GenerationUpdate? {
            try await update()
        }
    }
}

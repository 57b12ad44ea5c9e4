import Foundation
import Pipevideo

/// A client without a service, for the tests and previews of an app. The test writes what happens to each
/// generation.
///
/// ```swift
/// let client = FakeVideoGenerator([
///     .completes(after: [.queued, .inProgress]),
///     .fails(GenerationError(code: "invalid_prompt")),
///     .createFails(PipevideoError(.insufficientCredits, "The balance is too low.")),
/// ])
/// let generation = try await client.generate(GenerationRequest(model: "m", prompt: "A cat"))
/// #expect(generation.status == .completed)
/// #expect(client.requests.map(\.model) == ["m"])
/// ```
///
/// Each create takes the next scene of the script; a create beyond its end fails. The ids are `gen_fake_1`,
/// `gen_fake_2` and so on. Nothing waits, unless a scene has an interval.
public final class FakeVideoGenerator: VideoGenerating {
    /// What happens to one generation.
    public struct Scene: Sendable {
        var statuses: [Status] = []
        var end: Generation?
        var createError: PipevideoError?
        /// The time before each update.
        public var interval = Duration.zero

        /// It has these statuses, and then completes.
        public static func completes(
            after statuses: [Status] = [.queued],
            outputVideoURL: URL? = URL(string: "https://videos.example.com/cat.mp4"),
            usage: TokenUsage? = nil
        ) -> Scene {
            let end = Generation(
                id: "", status: .completed, outputVideoURL: outputVideoURL, usage: usage)
            return Scene(statuses: statuses, end: end)
        }

        /// It has these statuses, and then fails.
        public static func fails(
            _ error: GenerationError, after statuses: [Status] = [.queued]
        ) -> Scene {
            Scene(statuses: statuses, end: Generation(id: "", status: .failed, error: error))
        }

        /// It has these statuses, and keeps the last one until the task is cancelled.
        public static func neverEnds(after statuses: [Status] = [.queued, .inProgress]) -> Scene {
            Scene(statuses: statuses)
        }

        /// The create throws this error.
        public static func createFails(_ error: PipevideoError) -> Scene {
            Scene(createError: error)
        }

        /// The same scene with this time before each update.
        public func every(_ interval: Duration) -> Scene {
            var scene = self
            scene.interval = interval
            return scene
        }
    }

    private struct State {
        var requests: [GenerationRequest] = []
        var options: [CallOptions] = []
        var created: [String: Scene] = [:]
    }

    private let script: [Scene]
    private let video: Data
    private let candidates: Candidates
    private let lock = NSLock()
    nonisolated(unsafe) private var state = State()

    /// Creates a client with a script.
    ///
    /// - Parameters:
    ///   - script: What happens to each generation, in the order of their creates.
    ///   - video: What every download writes and every stream yields.
    ///   - candidates: What ``candidates(for:options:)`` finds.
    public init(
        _ script: [Scene], video: Data = Data("video".utf8),
        candidates: Candidates = Candidates([], coversCreate: true)
    ) {
        self.script = script
        self.video = video
        self.candidates = candidates
    }

    /// The requests of all creates so far, failed ones included.
    public var requests: [GenerationRequest] { lock.withLock { state.requests } }

    /// The options of all calls so far, in the order in which they began.
    public var options: [CallOptions] { lock.withLock { state.options } }

    /// Creates a generation, which the next scene of the script is about.
    public func create(
        _ request: GenerationRequest, options: CallOptions
    ) async throws -> Generation {
        record(options)
        return try add(request)
    }

    private func add(_ request: GenerationRequest) throws -> Generation {
        let (number, scene) = lock.withLock {
            state.requests.append(request)
            let number = state.requests.count
            let scene = number <= script.count ? script[number - 1] : nil
            if scene?.createError == nil { state.created["gen_fake_\(number)"] = scene }
            return (number, scene)
        }
        guard let scene else {
            throw PipevideoError(
                .internal,
                "the script of the fake client has \(script.count) scenes, and this is "
                    + "create \(number).")
        }
        if let error = scene.createError { throw error }
        return scene.generation(
            "gen_fake_\(number)", scene.statuses.first ?? .queued, of: request.model)
    }

    /// Returns a generation in its last state, or in its first one if it never ends.
    public func retrieve(_ id: String, options: CallOptions) async throws -> Generation {
        record(options)
        let scene = try scene(of: id)
        return scene.end(id) ?? scene.generation(id, scene.statuses.last ?? .queued)
    }

    /// Returns the statuses of the scene, one after another, and then its end. If the deadline comes
    /// first, the loop throws an error of kind `wait_timeout`, as with the real client.
    public func updates(
        for id: String, deadline: Duration?, options: CallOptions
    ) -> GenerationUpdates {
        record(options)
        return updates(for: id, deadline)
    }

    private func updates(for id: String, _ deadline: Duration?) -> GenerationUpdates {
        GenerationUpdates { [self] in
            let index = Counter()
            return {
                let scene = try self.scene(of: id)
                let index = index.next()
                let steps = scene.statuses.map { scene.generation(id, $0) } + [scene.end(id)]
                guard index < steps.count else { return nil }
                let elapsed = scene.interval * index
                // A scene that never ends stays until the deadline, or until the task is cancelled.
                let year = Duration.seconds(365 * 86_400)
                let pause = steps[index] == nil ? year : scene.interval
                let left = deadline.map { $0 - elapsed } ?? year
                try await Task.sleep(for: min(pause, left))
                guard let generation = steps[index], pause <= left else {
                    throw PipevideoError(
                        .waitTimeout,
                        "the deadline of the wait has passed; the generation is still running",
                        generationID: id, last: index > 0 ? steps[index - 1] : nil, polls: index)
                }
                let progress = generation.isFinal ? 1 : Double(index) / Double(steps.count)
                return GenerationUpdate(
                    generation: generation, elapsed: elapsed, progress: progress)
            }
        }
    }

    /// Waits for the end of the scene. A generation that fails is thrown, as by the real client.
    public func wait(
        for id: String, deadline: Duration?, options: CallOptions,
        isolation: isolated (any Actor)?, onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation {
        record(options)
        return try await wait(for: id, deadline, isolation, onUpdate)
    }

    private func wait(
        for id: String, _ deadline: Duration?, _ isolation: isolated (any Actor)?,
        _ onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation {
        var last: Generation?
        for try await update in updates(for: id, deadline) {
            onUpdate?(update)
            last = update.generation
        }
        guard let last, last.status == .completed else {
            throw PipevideoError(
                .generationFailed, "the generation failed", generationID: id, generation: last,
                category: last?.error?.category)
        }
        return last
    }

    /// Creates a generation and waits for the end of its scene.
    public func generate(
        _ request: GenerationRequest, deadline: Duration?, options: CallOptions,
        isolation: isolated (any Actor)?, onUpdate: ((GenerationUpdate) -> Void)?
    ) async throws -> Generation {
        record(options)
        return try await wait(for: try add(request).id, deadline, isolation, onUpdate)
    }

    /// Writes the video of this client to the file.
    @discardableResult
    public func download(
        _ generation: Generation, to file: URL, maxBytes: Int?, options: CallOptions,
        isolation: isolated (any Actor)?, onProgress: ((DownloadProgress) -> Void)?
    ) async throws -> URL {
        record(options)
        try video.write(to: file, options: .atomic)
        onProgress?(DownloadProgress(downloaded: video.count, total: video.count))
        return file
    }

    /// Yields the video of this client, in two chunks.
    public func stream(
        _ generation: Generation, maxBytes: Int?, options: CallOptions
    ) -> VideoStream {
        record(options)
        let half = video.count / 2
        return VideoStream { [chunks = [video.prefix(half), video.dropFirst(half)]] in
            let index = Counter()
            return {
                let index = index.next()
                return index < chunks.count ? Data(chunks[index]) : nil
            }
        }
    }

    /// Returns the candidates of this client.
    public func candidates(
        for error: PipevideoError, options: CallOptions
    ) async throws -> Candidates {
        record(options)
        return candidates
    }

    private func record(_ options: CallOptions) {
        lock.withLock { state.options.append(options) }
    }

    private func scene(of id: String) throws -> Scene {
        guard let scene = lock.withLock({ state.created[id] }) else {
            throw PipevideoError(
                .notFound, "there is no such generation", status: 404, generationID: id)
        }
        return scene
    }

    private final class Counter: Sendable {
        private let lock = NSLock()
        nonisolated(unsafe) private var count = -1

        func next() -> Int {
            lock.withLock {
                count += 1
                return count
            }
        }
    }
}

extension FakeVideoGenerator.Scene {
    fileprivate func generation(_ id: String, _ status: Status, of model: String? = nil)
        -> Generation
    {
        Generation(id: id, status: status, model: model)
    }

    fileprivate func end(_ id: String) -> Generation? {
        end.map {
            Generation(
                id: id, status: $0.status, outputVideoURL: $0.outputVideoURL, usage: $0.usage,
                error: $0.error)
        }
    }
}

import Foundation
import Pipevideo

#if canImport(SwiftUI)
    import Observation
#endif

/// The model of a view that creates a video and shows its progress. It compiles and is tested on Linux
/// too, without observation.
#if canImport(SwiftUI)
    @Observable
#endif
@MainActor
public final class VideoModel {
    /// The state of the video.
    public enum Phase: Equatable {
        case idle
        /// The progress is from 0 to 1 and is an estimate.
        case working(progress: Double, status: Status)
        case ready(URL)
        case failed(String)
    }

    public private(set) var phase = Phase.idle
    /// The id of the current generation, or of the last one that can be resumed. An app stores it to
    /// resume after a restart.
    public private(set) var generationID: String?

    private let client: PipevideoClient
    private var work: Work?

    /// Creates a model. An app's client connects to the app's own backend, because an app must not
    /// contain the API key:
    ///
    /// ```swift
    /// let client = try PipevideoClient(
    ///     baseURL: "https://api.example.com/pipevideo",
    ///     token: { try await session.token() }
    /// )
    /// ```
    public init(client: PipevideoClient) {
        self.client = client
    }

    /// Starts a video. Does nothing while another one is in progress.
    public func create(prompt: String) {
        start { client in
            try await client.responses.create(
                model: "moonshotai/kimi-k2.5", input: prompt, aspectRatio: "9:16"
            ).id
        }
    }

    /// Continues with a generation that was started earlier.
    public func resume(_ id: String) {
        start { _ in id }
    }

    /// Stops polling. The generation continues, and ``resume(_:)`` polls it again.
    ///
    /// A create that is under way is completed first, because its generation could not be resumed
    /// without the id.
    public func cancel() {
        work?.task.cancel()
    }

    /// Returns to the idle state after a video has ended. Does nothing while one is in progress.
    public func reset() {
        guard work == nil else { return }
        phase = .idle
        generationID = nil
    }

    /// Waits until no video is in progress.
    public func waitUntilIdle() async {
        await work?.task.value
    }

    private func start(_ id: @escaping @Sendable (PipevideoClient) async throws -> String) {
        guard work == nil else { return }
        phase = .working(progress: 0, status: .queued)
        // The task does not retain the model, so polling stops when the last view of it is gone.
        let task = Task { [weak self, client] in
            do {
                try Task.checkCancellation()
                // An unstructured task, which is not cancelled together with this one.
                let id = try await Task { try await id(client) }.value
                self?.generationID = id
                for try await update in client.responses.updates(for: id) { self?.show(update) }
            } catch is CancellationError {
                self?.phase = .idle
            } catch {
                self?.fail(error)
            }
            self?.work = nil
        }
        work = Work(task)
    }

    private func show(_ update: GenerationUpdate) {
        let generation = update.generation
        if let video = generation.outputVideoURL, generation.isFinal {
            phase = .ready(video)
        } else if generation.isFinal {
            generationID = nil
            phase = .failed(generation.error?.message ?? "The video could not be made.")
        } else {
            phase = .working(progress: update.progress, status: generation.status)
        }
    }

    private func fail(_ error: any Error) {
        // After any other error the generation may continue, and can be resumed.
        if (error as? PipevideoError)?.kind == .notFound { generationID = nil }
        phase = .failed(error.localizedDescription)
    }
}

/// A task that is cancelled when its owner is deallocated.
private final class Work: Sendable {
    let task: Task<Void, Never>

    init(_ task: Task<Void, Never>) {
        self.task = task
    }

    deinit { task.cancel() }
}

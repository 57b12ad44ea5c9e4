import Foundation
import Pipevideo

#if canImport(SwiftUI)
    import Observation
#endif

/// Creates a video and follows it: what a view shows. It compiles, and is tested, on Linux too, where
/// nothing observes it.
#if canImport(SwiftUI)
    @Observable
#endif
@MainActor
public final class VideoModel {
    /// Where it is.
    public enum Phase: Equatable {
        case idle
        /// From 0 to 1; it is a guess until the end.
        case working(progress: Double, status: Status)
        case ready(URL)
        case failed(String)
    }

    public private(set) var phase = Phase.idle
    /// The generation under way, or the last one that can be gone on with. An app keeps it, to go on
    /// after it was closed.
    public private(set) var generationID: String?

    private let client: Pipevideo
    private var following: Following?

    /// An app has no key in it: its client talks to the app's own backend.
    ///
    /// ```swift
    /// let client = try Pipevideo(
    ///     apiKey: { try await session.token() },
    ///     baseURL: "https://api.example.com/pipevideo"
    /// )
    /// ```
    public init(client: Pipevideo) {
        self.client = client
    }

    /// Begins a video; one that is under way is left alone.
    public func create(prompt: String) {
        begin { client in
            try await client.responses.create(
                model: "moonshotai/kimi-k2.5", input: prompt, aspectRatio: "9:16"
            ).id
        }
    }

    /// Goes on with a generation that was begun earlier.
    public func resume(_ id: String) {
        begin { _ in id }
    }

    /// Stops following. The generation goes on: ``resume(_:)`` takes it up again.
    ///
    /// A create that is under way comes to its end first, since without its id nobody could take up
    /// what it has made.
    public func cancel() {
        following?.task.cancel()
    }

    /// Lets go of what has ended, for another video; one that is under way is left alone.
    public func reset() {
        guard following == nil else { return }
        phase = .idle
        generationID = nil
    }

    /// Waits until nothing is under way.
    public func settled() async {
        await following?.task.value
    }

    private func begin(_ id: @escaping @Sendable (Pipevideo) async throws -> String) {
        guard following == nil else { return }
        phase = .working(progress: 0, status: .queued)
        // It does not hold the model: when the last view of it is gone, following stops.
        let task = Task { [weak self, client] in
            do {
                try Task.checkCancellation()
                // A task of its own, which is not cancelled with this one.
                let id = try await Task { try await id(client) }.value
                self?.generationID = id
                for try await update in client.responses.updates(for: id) { self?.show(update) }
            } catch is CancellationError {
                self?.phase = .idle
            } catch {
                self?.fail(error)
            }
            self?.following = nil
        }
        following = Following(task)
    }

    private func show(_ update: Update) {
        let generation = update.generation
        if let video = generation.outputVideoURL, generation.isFinal {
            phase = .ready(video)
        } else if generation.isFinal {
            generationID = nil
            phase = .failed(generation.error?.message ?? "The video could not be made.")
        } else {
            // It nears the end without ever claiming it.
            let share = update.elapsed / update.expected
            phase = .working(progress: 1 - exp(-share), status: generation.status)
        }
    }

    private func fail(_ error: any Error) {
        // After any other error the generation may well go on, and can be taken up again.
        if (error as? PipevideoError)?.kind == .notFound { generationID = nil }
        phase = .failed(error.localizedDescription)
    }
}

/// A task that ends with whoever has begun it.
private final class Following: Sendable {
    let task: Task<Void, Never>

    init(_ task: Task<Void, Never>) {
        self.task = task
    }

    deinit { task.cancel() }
}

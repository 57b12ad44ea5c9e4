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
    /// The generation under way. An app keeps it, to go on after it was closed.
    public private(set) var generationID: String?

    private let client: Pipevideo
    private var task: Task<Void, Never>?

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
    public func cancel() {
        task?.cancel()
        task = nil
        phase = .idle
    }

    /// Waits until nothing is under way.
    public func settled() async {
        await task?.value
    }

    private func begin(_ id: @escaping @Sendable (Pipevideo) async throws -> String) {
        guard task == nil else { return }
        phase = .working(progress: 0, status: .queued)
        task = Task { [client] in
            do {
                let id = try await id(client)
                generationID = id
                for try await update in client.responses.updates(for: id) { show(update) }
            } catch is CancellationError {
                return
            } catch {
                phase = .failed(error.localizedDescription)
            }
            task = nil
        }
    }

    private func show(_ update: Update) {
        let generation = update.generation
        if let video = generation.outputVideoURL, generation.isFinal {
            phase = .ready(video)
        } else if generation.isFinal {
            phase = .failed(generation.error?.message ?? "The video could not be made.")
        } else {
            // It nears the end without ever claiming it.
            let share = update.elapsed / update.expected
            phase = .working(progress: 1 - exp(-share), status: generation.status)
        }
    }
}

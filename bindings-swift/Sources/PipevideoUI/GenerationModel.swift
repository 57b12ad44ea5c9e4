import Foundation
import Pipevideo

// On Linux the model is for tests, and is not observed: a program does not link with the Observation of
// Swift 6.0 there (swift::threading::fatal is undefined).
#if !os(Linux)
    import Observation
#endif

/// One generation, for a view: its status, its progress, its video or its error.
///
/// ```swift
/// @State private var model = GenerationModel(client: client)
///
/// Button("Create") { model.create(GenerationRequest(model: "moonshotai/kimi-k2.5", prompt: prompt)) }
/// GenerationProgressView(model)
/// ```
///
/// Store ``generationID`` when it changes, such as in `@SceneStorage`: ``resume(_:)`` continues with it
/// after the app was closed. Let the app own the model if a create must outlive the view.
@available(iOS 17, macOS 14, tvOS 17, watchOS 10, visionOS 1, *)
#if !os(Linux)
    @Observable
#endif
@MainActor
public final class GenerationModel {
    /// The last state of the generation; `nil` before its create has returned.
    public private(set) var generation: Generation?
    /// The id of the generation. It is kept after an error, as long as the generation may continue.
    public private(set) var generationID: String?
    /// The estimated progress from 0 to 1.
    public private(set) var progress = 0.0
    /// Why the generation or the call failed.
    public private(set) var error: (any Error)?
    /// Whether a generation is being created or polled.
    public private(set) var isWorking = false

    /// The status of the generation; `queued` while it is being created.
    public var status: Status? { generation?.status ?? (isWorking ? .queued : nil) }
    /// The address of the finished video. It expires: play or download it soon.
    public var videoURL: URL? { generation?.outputVideoURL }

    private let client: any VideoGenerating
    private var work: Work?

    /// Creates a model. Nothing is sent yet.
    ///
    /// - Parameter client: A client, which in an app connects to the app's own backend:
    ///   `PipevideoClient(baseURL:token:)`.
    public init(client: any VideoGenerating) {
        self.client = client
    }

    /// Creates a generation and polls it. Does nothing while another one is in progress.
    public func create(_ request: GenerationRequest) {
        start { try await $0.create(request) }
    }

    /// Continues with a generation that was created earlier. Does nothing while another one is in
    /// progress.
    public func resume(_ id: String) {
        generationID = isWorking ? generationID : id
        start { try await $0.retrieve(id) }
    }

    /// Stops polling. The generation continues, and ``resume(_:)`` polls it again.
    ///
    /// A create that is under way is completed first, because its generation could not be resumed
    /// without the id.
    public func cancel() {
        work?.task.cancel()
    }

    /// Forgets the generation. Does nothing while one is in progress.
    public func reset() {
        guard !isWorking else { return }
        (generation, generationID, error, progress) = (nil, nil, nil, 0)
    }

    /// Waits until nothing is in progress, for tests.
    public func waitUntilIdle() async {
        await work?.task.value
    }

    private func start(
        _ begin: @escaping @Sendable (any VideoGenerating) async throws -> Generation
    ) {
        guard !isWorking else { return }
        (generation, error, progress, isWorking) = (nil, nil, 0, true)
        // The task does not retain the model, so polling stops when the last view of it is gone.
        let task = Task { [weak self, client] in
            do {
                try Task.checkCancellation()
                // An unstructured task, which is not cancelled together with this one.
                let first = try await Task { try await begin(client) }.value
                self?.show(first)
                if !first.isFinal {
                    for try await update in client.updates(for: first.id) {
                        self?.show(update.generation)
                        self?.progress = update.progress
                    }
                }
            } catch is CancellationError {
                // The caller has cancelled, which is no error.
            } catch {
                self?.fail(error)
            }
            self?.isWorking = false
        }
        work = Work(task)
    }

    private func show(_ generation: Generation) {
        self.generation = generation
        generationID = generation.status == .failed ? nil : generation.id
        guard generation.isFinal else { return }
        progress = 1
        if generation.status == .failed {
            error = PipevideoError(
                .generationFailed, "The generation failed.",
                serviceMessage: generation.error?.message, generationID: generation.id,
                generation: generation, category: generation.error?.category)
        }
    }

    private func fail(_ error: any Error) {
        self.error = error
        let error = error as? PipevideoError
        // After any other error the generation may continue, and can be resumed.
        generationID = error?.kind == .notFound ? nil : error?.generationID ?? generationID
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

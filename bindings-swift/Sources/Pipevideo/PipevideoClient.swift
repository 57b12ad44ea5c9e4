import Foundation
internal import PipevideoFFI

/// A client of Pipevideo's video generation API.
///
/// One client is enough for an app or a server. It can be used from any task and any actor, and its
/// copies share connections and options. All clients of a process with the same key and base URL
/// share one rate limit.
///
/// ```swift
/// let client = try PipevideoClient()  // reads PIPEVIDEO_API_KEY
/// let generation = try await client.generate(
///     model: "moonshotai/kimi-k2.5",
///     input: "A cat walking on a beach at sunset"
/// )
/// try await client.responses.download(generation, to: URL(filePath: "cat.mp4"))
/// ```
///
/// An API key does not belong in an app that is shipped to users. Such an app connects to its own
/// backend, with ``init(baseURL:token:configuration:)``. See <doc:GettingStarted>.
public struct PipevideoClient: Sendable {
    let core: NativeClient

    /// Creates a client for a server, with an API key. It sends nothing yet.
    ///
    /// - Parameters:
    ///   - apiKey: The API key; `nil` means the environment variable `PIPEVIDEO_API_KEY`.
    ///   - configuration: All other options.
    /// - Throws: ``PipevideoError`` of kind `configuration` if there is no key or an option is invalid.
    public init(
        apiKey: String? = nil, configuration: Configuration = Configuration()
    ) throws {
        core = try configuration.client(apiKey: apiKey, tokens: nil)
    }

    /// Creates a client for an app, which connects to its own backend with a token of the backend's
    /// choice. It sends nothing yet.
    ///
    /// ```swift
    /// let client = try PipevideoClient(
    ///     baseURL: "https://api.example.com/pipevideo",
    ///     token: { try await session.token() }
    /// )
    /// ```
    ///
    /// The client calls `token` before each request, so the function can renew a token that has
    /// expired. If it throws, the call ends with that error, unchanged. There is one exception: once
    /// `generate` has created a generation, the error is the ``PipevideoError/cause`` of a
    /// ``PipevideoError`` that has the generation's id, so that a paid generation is not lost.
    ///
    /// When a call is cancelled or times out, the task that runs `token` is cancelled. Clients with a
    /// token function share their rate limit with their own copies only.
    ///
    /// - Parameters:
    ///   - baseURL: The address of the backend, with or without `/v1`. It is used in place of
    ///     ``Configuration/baseURL``.
    ///   - token: Returns the bearer token for the next request.
    ///   - configuration: All other options.
    /// - Throws: ``PipevideoError`` of kind `configuration` if an option is invalid.
    public init(
        baseURL: String,
        token: @escaping @Sendable () async throws -> String,
        configuration: Configuration = Configuration()
    ) throws {
        var configuration = configuration
        configuration.baseURL = baseURL
        core = try configuration.client(apiKey: nil, tokens: TokenFunction(token))
    }

    /// Creates, retrieves, waits for and downloads generations.
    public var responses: Responses { Responses(core: core) }

    /// The catalogue of engines, models and rates.
    public var engines: Engines { Engines(core: core) }

    /// The account's usage.
    public var usage: Usage { Usage(core: core) }

    /// Verifies webhook deliveries and wakes the waits for their generations.
    public var webhooks: Webhooks { Webhooks(core: core) }

    /// The number of requests that are left in the current window of the rate limit, counting the
    /// requests of this process; `nil` if the rate limit is off.
    public var budgetLeft: Int? { core.budgetLeft().map(Int.init) }

    /// What the key has spent in this process. All clients with the same key and base URL share it.
    public var spend: Spend { Spend(core.spend()) }

    /// Estimates what such generations cost, before anything is paid.
    ///
    /// ```swift
    /// let estimate = try await client.estimate(model: "moonshotai/kimi-k2.5", count: 100)
    /// if let cost = estimate.costUSD { print("about \(cost) USD") }
    /// ```
    ///
    /// What this process has seen complete is the first source and needs no request. Otherwise the
    /// account's usage and the rates are requested, at most every five minutes.
    ///
    /// - Parameters:
    ///   - model: The orchestration model.
    ///   - engine: The engine; `nil` means any.
    ///   - count: The number of generations.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func estimate(
        model: String, engine: String? = nil, count: Int = 1,
        options: CallOptions = CallOptions()
    ) async throws -> CostEstimate {
        // The core rejects 0, and so a negative count.
        let count = UInt64(clamping: count)
        return try await callCore { cancel in
            CostEstimate(
                try await core.estimate(
                    model: model, engine: engine, count: count, options: options.core,
                    cancel: cancel)
            )
        }
    }

    /// Creates a generation and waits until it has completed.
    ///
    /// The deadline starts when the service has accepted the request. Cancelling the task stops the
    /// wait, not the generation, which continues and is paid for. So once the request may have been
    /// sent, a cancelled task throws a ``PipevideoError`` of kind `submission_uncertain` that has the
    /// ``PipevideoError/generationID`` if it is known, and `CancellationError` as its
    /// ``PipevideoError/cause``. Before that it throws `CancellationError`, and nothing was created.
    ///
    /// ```swift
    /// do {
    ///     generation = try await client.generate(model: model, input: prompt)
    /// } catch let error as PipevideoError where error.cause is CancellationError {
    ///     store(error.generationID)  // wait for it later; if it is nil, see candidates(for:)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - request: The model, the input and the options of the generation.
    ///   - deadline: The maximum duration of the wait; `nil` means ``Configuration/deadline``.
    ///   - options: The options of this call, in place of the client's.
    ///   - isolation: The actor on which `onUpdate` is called: that of the caller.
    ///   - onUpdate: Called with each change, before this function returns. The first update is the
    ///     response to the create, so the id is available from the start.
    /// - Returns: The completed generation.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled before the request
    ///   may have been sent.
    public func generate(
        _ request: GenerationRequest,
        deadline: Duration? = nil,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        onUpdate: ((GenerationUpdate) -> Void)? = nil
    ) async throws -> Generation {
        let arguments = try request.arguments()
        let deadline = deadline?.inSeconds
        @Sendable func generate(_ cancel: CancelHandle, _ updates: Updates?) async throws
            -> Generation
        {
            Generation(
                try await core.generate(
                    arguments: arguments, deadline: deadline, updates: updates,
                    options: options.core, cancel: cancel))
        }
        guard let onUpdate else {
            return try await callCore(creates: true) { try await generate($0, nil) }
        }
        return try await callCore(
            creates: true, reports: Updates(), to: { onUpdate(GenerationUpdate($0)) }, generate)
    }
}

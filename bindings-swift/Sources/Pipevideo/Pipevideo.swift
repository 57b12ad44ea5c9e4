import Foundation
internal import PipevideoFFI

/// A client of Pipevideo's API.
///
/// Copies share everything, and all clients of a process with the same key and base URL share one
/// rate limit. It can be used from any actor and any task.
///
/// ```swift
/// let client = try Pipevideo()  // PIPEVIDEO_API_KEY
/// let generation = try await client.generate(
///     model: "moonshotai/kimi-k2.5",
///     input: "A cat walking on a beach at sunset"
/// )
/// try await client.responses.download(generation, to: URL(filePath: "cat.mp4"))
/// ```
///
/// An app that ships to people has no key in it: it talks to its own backend, by `baseURL` and an
/// `apiKey` that is a function. See <doc:GettingStarted>.
public struct Pipevideo: Sendable {
    let core: Core

    /// Makes a client. Nothing is sent.
    ///
    /// - Parameters:
    ///   - apiKey: The key; by default `PIPEVIDEO_API_KEY`.
    ///   - baseURL: Where the API is, with or without `/v1`; by default `PIPEVIDEO_BASE_URL`, else the
    ///     service's own address.
    ///   - allowInsecure: Allows plain `http` to other machines, where anybody on the way can read the
    ///     key. Without it, plain `http` is taken only to this machine.
    ///   - requestTimeout: Bounds one HTTP call; 30 seconds by default. For a download it bounds the
    ///     time without progress.
    ///   - connectTimeout: Bounds the making of a connection; 5 seconds by default.
    ///   - maxRetries: How often a call that is safe to repeat is sent again; 4 times by default.
    ///   - rateLimit: How many requests may go in how long a time; `nil` for no limit.
    ///   - polling: How often generations are looked at.
    ///   - deadline: Bounds a whole wait that has no deadline of its own; 15 minutes by default.
    ///   - webhookSecrets: The secrets that sign webhooks, `whsec_…`; by default
    ///     `PIPEVIDEO_WEBHOOK_SECRET`, separated by commas. With them waits rest on webhooks.
    ///   - app: Who uses the service, for its statistics.
    ///   - headers: Headers that go with every request to the API.
    ///   - proxy: A proxy's URL; by default the environment's (`HTTPS_PROXY`, `NO_PROXY` …).
    ///   - caFile: A PEM file of certificates to trust, beside the built-in ones.
    /// - Throws: ``PipevideoError`` of the kind `configuration`: no key, a bad base URL, a bad option.
    public init(
        apiKey: String? = nil,
        baseURL: String? = nil,
        allowInsecure: Bool? = nil,
        requestTimeout: Duration? = nil,
        connectTimeout: Duration? = nil,
        maxRetries: Int? = nil,
        rateLimit: RateLimit? = .standard,
        polling: Polling = Polling(),
        deadline: Duration? = nil,
        webhookSecrets: [String]? = nil,
        app: AppIdentity = AppIdentity(),
        headers: [String: String] = [:],
        proxy: String? = nil,
        caFile: URL? = nil
    ) throws {
        let options = try Options(
            apiKey: apiKey, baseURL: baseURL, allowInsecure: allowInsecure,
            requestTimeout: requestTimeout, connectTimeout: connectTimeout, maxRetries: maxRetries,
            rateLimit: rateLimit, polling: polling, deadline: deadline,
            webhookSecrets: webhookSecrets, app: app, headers: headers, proxy: proxy,
            caFile: caFile
        )
        core = try callAtOnce { try Core(options: options, tokens: nil) }
    }

    /// Makes a client with a function in place of a key: it is asked for a token before each request.
    ///
    /// ```swift
    /// let client = try Pipevideo(
    ///     apiKey: { try await session.token() },
    ///     baseURL: "https://api.example.com/pipevideo"
    /// )
    /// ```
    ///
    /// What the function throws ends the call, and is thrown from there as it is; from `generate`, once
    /// the generation is there, as the ``PipevideoError/cause`` of an error that has its id, so that
    /// nothing that was paid for is lost. When the call is over, because it was cancelled or has waited
    /// for too long, the function's task is cancelled. Clients with a function share their rate limit
    /// only with their own copies. The other options are those of
    /// ``init(apiKey:baseURL:allowInsecure:requestTimeout:connectTimeout:maxRetries:rateLimit:polling:deadline:webhookSecrets:app:headers:proxy:caFile:)-swift.init``.
    ///
    /// - Throws: ``PipevideoError`` of the kind `configuration`: a bad base URL, a bad option.
    public init(
        apiKey: @escaping @Sendable () async throws -> String,
        baseURL: String? = nil,
        allowInsecure: Bool? = nil,
        requestTimeout: Duration? = nil,
        connectTimeout: Duration? = nil,
        maxRetries: Int? = nil,
        rateLimit: RateLimit? = .standard,
        polling: Polling = Polling(),
        deadline: Duration? = nil,
        webhookSecrets: [String]? = nil,
        app: AppIdentity = AppIdentity(),
        headers: [String: String] = [:],
        proxy: String? = nil,
        caFile: URL? = nil
    ) throws {
        let options = try Options(
            apiKey: nil, baseURL: baseURL, allowInsecure: allowInsecure,
            requestTimeout: requestTimeout, connectTimeout: connectTimeout, maxRetries: maxRetries,
            rateLimit: rateLimit, polling: polling, deadline: deadline,
            webhookSecrets: webhookSecrets, app: app, headers: headers, proxy: proxy,
            caFile: caFile
        )
        core = try callAtOnce { try Core(options: options, tokens: Tokens(apiKey)) }
    }

    /// Generations: create, retrieve, wait, follow, download, reconcile.
    public var responses: Responses { Responses(core: core) }

    /// The catalogue of engines, models and rates.
    public var engines: Engines { Engines(core: core) }

    /// The account's usage.
    public var usage: Usage { Usage(core: core) }

    /// Webhooks: verify a delivery, and wake the waits of its generation.
    public var webhooks: Webhooks { Webhooks(core: core) }

    /// How many requests the key has left in this window, as far as this process knows; `nil` without
    /// a limit.
    public var budgetLeft: Int? { core.budgetLeft().map(Int.init) }

    /// Creates a generation and waits for its end.
    ///
    /// The deadline begins when the service has taken the request. Cancelling the task stops the wait,
    /// not the generation: to have its id even then, look at the first update, or call `create` and
    /// ``Responses/wait(for:deadline:onUpdate:)`` apart.
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
    ///   - deadline: Bounds the wait; by default the client's deadline.
    ///   - onUpdate: Called with each change, first with what the create answered, so that the id is
    ///     known from the start. It is called on a thread of the library, and holds up this call alone.
    /// - Returns: The generation, completed.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func generate(
        model: String,
        input: Input,
        instructions: String? = nil,
        width: Int? = nil,
        height: Int? = nil,
        aspectRatio: String? = nil,
        provider: ProviderPreference? = nil,
        engine: String? = nil,
        expandPrompt: Bool? = nil,
        extraBody: [String: JSONValue] = [:],
        deadline: Duration? = nil,
        onUpdate: (@Sendable (Update) -> Void)? = nil
    ) async throws -> Generation {
        let arguments = try Arguments(
            model: model, input: input, instructions: instructions, width: width, height: height,
            aspectRatio: aspectRatio, provider: provider, engine: engine,
            expandPrompt: expandPrompt, extraBody: extraBody
        )
        return try await call(makes: true) { cancel in
            Generation(
                try await core.generate(
                    arguments: arguments, deadline: deadline?.inSeconds,
                    listener: onUpdate.map(UpdateObserver.init), cancel: cancel
                )
            )
        }
    }
}

/// The token function, as the core asks it.
final class Tokens: TokenSource {
    let function: @Sendable () async throws -> String

    init(_ function: @escaping @Sendable () async throws -> String) {
        self.function = function
    }

    func ask(reply: TokenReply) -> any Asked {
        AskedTask(
            Task { [function] in
                do {
                    reply.succeed(token: try await function())
                } catch {
                    reply.fail(error: Caught(error))
                }
            }
        )
    }
}

/// The task of a token function, which the core cancels when the call is over.
final class AskedTask: Asked {
    private let task: Task<Void, Never>

    init(_ task: Task<Void, Never>) {
        self.task = task
    }

    func cancel() { task.cancel() }
}

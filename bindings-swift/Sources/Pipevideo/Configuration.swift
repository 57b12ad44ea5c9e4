import Foundation
internal import PipevideoFFI

extension PipevideoClient {
    /// The options of a client. `nil` means the default.
    ///
    /// ```swift
    /// var configuration = PipevideoClient.Configuration()
    /// configuration.deadline = .seconds(600)
    /// configuration.rateLimit = .requests(50, per: .seconds(60))
    /// let client = try PipevideoClient(configuration: configuration)
    /// ```
    public struct Configuration: Hashable, Sendable {
        /// The address of the API, with or without `/v1`. By default the environment variable
        /// `PIPEVIDEO_BASE_URL`, else `https://api.pipevideo.co`.
        public var baseURL: String?
        /// Whether plain `http` is allowed to other machines. Anyone on the network path can then read
        /// the key. By default plain `http` is allowed to the same machine only.
        public var allowInsecure: Bool?
        /// The longest silence of the service in one HTTP request or download; a moving upload is
        /// none. 30 seconds by default.
        public var requestTimeout: Duration?
        /// The maximum duration of connecting. 5 seconds by default.
        public var connectTimeout: Duration?
        /// How often a call that is safe to repeat is sent again. 4 times by default.
        public var maxRetries: Int?
        /// How many requests are sent in which time.
        public var rateLimit: RateLimit
        /// How often a wait polls its generation.
        public var polling: Polling
        /// The maximum duration of a wait that has no deadline of its own. 15 minutes by default.
        public var deadline: Duration?
        /// The secrets that sign webhooks, each `whsec_…`. By default the environment variable
        /// `PIPEVIDEO_WEBHOOK_SECRET`, which may list several, separated by commas. With secrets,
        /// waits rely on webhooks and poll rarely (``Polling/safetyInterval``).
        public var webhookSecrets: [String]?
        /// The application that makes the requests, for the service's statistics.
        public var app: AppIdentity
        /// The maximum that the key may spend in this process, in US dollars. A create that would
        /// exceed it, counting what is in flight at its estimate, fails as `spendLimit` before it is
        /// sent. No limit by default.
        public var spendLimit: Decimal?
        /// Additional headers for every request to the API.
        public var headers: [String: String]
        /// The URL of a proxy. By default the proxy of the environment (`HTTPS_PROXY`, `NO_PROXY` and
        /// so on).
        public var proxy: String?
        /// A PEM file of certificates to trust besides the built-in ones.
        public var caFile: URL?
        /// Receives a record of each event, as far as ``logLevel`` asks for it.
        public var logger: PipevideoLogger?
        /// The lowest level of the events that are logged. By default the environment variable
        /// `PIPEVIDEO_LOG`, else ``LogLevel/info`` with a ``logger`` and ``LogLevel/off`` without.
        /// Without a logger they go to the standard error.
        public var logLevel: LogLevel?

        /// Creates a configuration that differs from the default in the given options.
        public init(
            baseURL: String? = nil,
            allowInsecure: Bool? = nil,
            requestTimeout: Duration? = nil,
            connectTimeout: Duration? = nil,
            maxRetries: Int? = nil,
            rateLimit: RateLimit = .standard,
            polling: Polling = Polling(),
            deadline: Duration? = nil,
            webhookSecrets: [String]? = nil,
            app: AppIdentity = AppIdentity(),
            spendLimit: Decimal? = nil,
            headers: [String: String] = [:],
            proxy: String? = nil,
            caFile: URL? = nil,
            logger: PipevideoLogger? = nil,
            logLevel: LogLevel? = nil
        ) {
            self.baseURL = baseURL
            self.allowInsecure = allowInsecure
            self.requestTimeout = requestTimeout
            self.connectTimeout = connectTimeout
            self.maxRetries = maxRetries
            self.rateLimit = rateLimit
            self.polling = polling
            self.deadline = deadline
            self.webhookSecrets = webhookSecrets
            self.app = app
            self.spendLimit = spendLimit
            self.headers = headers
            self.proxy = proxy
            self.caFile = caFile
            self.logger = logger
            self.logLevel = logLevel
        }

        /// Makes the native client.
        func client(apiKey: String?, tokens: (any TokenSource)?) throws -> NativeClient {
            let options = try options(apiKey: apiKey)
            let log = (logger ?? .standardError).core
            let client = try callCore {
                try NativeClient(options: options, tokens: tokens, log: log)
            }
            if client.logs() { PipevideoLogger.flushesAtExit }
            return client
        }

        private func options(apiKey: String?) throws -> Options {
            if let caFile, !caFile.isFileURL {
                throw PipevideoError(
                    .configuration,
                    "caFile is not a file URL.",
                    recoverySuggestion: "Create one with URL(filePath:)."
                )
            }
            return Options(
                language: "swift", apiKey: apiKey, baseUrl: baseURL, allowInsecure: allowInsecure,
                requestTimeout: requestTimeout?.inSeconds,
                connectTimeout: connectTimeout?.inSeconds, maxRetries: maxRetries.map(Int64.init),
                rateLimit: rateLimit.core, minInterval: polling.minInterval?.inSeconds,
                maxInterval: polling.maxInterval?.inSeconds,
                safetyInterval: polling.safetyInterval?.inSeconds,
                typical: polling.typical?.inSeconds, deadline: deadline?.inSeconds,
                webhookSecrets: webhookSecrets, appUrl: app.url, appTitle: app.title,
                appName: app.name, spendLimit: spendLimit?.description, headers: headers,
                proxy: proxy, caFile: caFile?.path, logLevel: logLevel?.rawValue,
                hasLogger: logger != nil
            )
        }
    }
}

// Headers, secrets and a proxy's URL may hold credentials.
extension PipevideoClient.Configuration: CustomReflectable {
    /// The options that are set, without the values of headers, the secrets and the proxy.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "baseURL": baseURL, "allowInsecure": allowInsecure,
                "requestTimeout": requestTimeout, "connectTimeout": connectTimeout,
                "maxRetries": maxRetries, "rateLimit": rateLimit, "polling": polling,
                "deadline": deadline, "webhookSecrets": webhookSecrets.map { _ in Hidden() },
                "app": app, "spendLimit": spendLimit, "headers": headers.keys.sorted(),
                "proxy": proxy.map { _ in Hidden() }, "caFile": caFile, "logLevel": logLevel,
            ]
        )
    }
}

/// How many requests a client sends in which time. All clients of a process with the same key and
/// base URL share it.
public struct RateLimit: Hashable, Sendable, CustomStringConvertible {
    private enum Form: Hashable {
        case standard
        case requests(Int, per: Duration)
        case unlimited
    }

    private let form: Form

    /// The service's own limit: 100 requests in 60 seconds.
    public static let standard = RateLimit(form: .standard)

    /// At most this many requests in any period of the given length.
    public static func requests(_ count: Int, per period: Duration) -> RateLimit {
        RateLimit(form: .requests(count, per: period))
    }

    /// No limit on this side. The service still has its own.
    public static let unlimited = RateLimit(form: .unlimited)

    private init(form: Form) {
        self.form = form
    }

    /// The limit as text.
    public var description: String {
        switch form {
        case .standard: "standard"
        case .requests(let count, let period): "\(count) requests per \(period)"
        case .unlimited: "unlimited"
        }
    }

    var core: Limit {
        switch form {
        case .standard: .standard
        case .requests(let count, let period):
            .requests(count: Int64(count), per: period.inSeconds)
        case .unlimited: .unlimited
        }
    }
}

/// How often a wait polls its generation. `nil` means the default.
public struct Polling: Hashable, Sendable {
    /// The minimum time between two polls of a generation. 2 seconds by default. Zero is allowed, for
    /// tests.
    public var minInterval: Duration?
    /// The maximum time between two polls of a generation, as far as the rate limit allows. 5 seconds
    /// by default.
    public var maxInterval: Duration?
    /// The time between two polls if the client has webhook secrets. It is how late a wait ends if a
    /// delivery is lost. 60 seconds by default.
    public var safetyInterval: Duration?
    /// A first estimate of the time that half of the generations take. 90 seconds by default. The
    /// client replaces it by what it measures.
    public var typical: Duration?

    /// Creates a polling configuration that differs from the default in the given options.
    public init(
        minInterval: Duration? = nil,
        maxInterval: Duration? = nil,
        safetyInterval: Duration? = nil,
        typical: Duration? = nil
    ) {
        self.minInterval = minInterval
        self.maxInterval = maxInterval
        self.safetyInterval = safetyInterval
        self.typical = typical
    }
}

/// The application that makes the requests, for the service's statistics. All of it is optional.
///
/// It is not called `App` because SwiftUI has a protocol of that name, which every app uses.
public struct AppIdentity: Hashable, Sendable {
    /// The application's address: `http` or `https`, at most 2048 characters.
    public var url: String?
    /// The application's title, at most 256 characters.
    public var title: String?
    /// The application's name, at most 256 characters.
    public var name: String?

    /// Creates an identity.
    public init(url: String? = nil, title: String? = nil, name: String? = nil) {
        self.url = url
        self.title = title
        self.name = name
    }
}

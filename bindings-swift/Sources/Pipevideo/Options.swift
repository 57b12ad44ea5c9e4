import Foundation
internal import PipevideoFFI

/// How many requests a key may make in how long a time.
public struct RateLimit: Hashable, Sendable {
    /// How many requests, and in how long a time; `nil` leaves it to the core.
    private let limit: Limit?

    private struct Limit: Hashable {
        let requests: Int
        let per: Duration
    }

    /// The service's own limit: 100 requests in 60 seconds.
    public static let standard = RateLimit(limit: nil)

    private init(limit: Limit?) {
        self.limit = limit
    }

    /// A limit of so many requests in any stretch of time of this length.
    public init(requests: Int, per: Duration) {
        limit = Limit(requests: requests, per: per)
    }

    static func core(_ option: RateLimit?) -> PipevideoFFI.Limit {
        guard let option else { return .off }
        guard let limit = option.limit else { return .standard }
        return .own(requests: Int64(limit.requests), per: limit.per.inSeconds)
    }
}

/// How often generations are looked at. What is `nil` is as the core has it.
public struct Polling: Hashable, Sendable {
    /// Never more often than this; 2 seconds by default. Zero is allowed, for tests.
    public var minInterval: Duration?
    /// At most this far apart, while the budget allows; 5 seconds by default.
    public var maxInterval: Duration?
    /// So far apart where waits rest on webhooks, a minute by default: what a lost delivery costs.
    public var safetyInterval: Duration?
    /// A first guess at the time that half of the generations take; 90 seconds by default, and
    /// learned from what is seen.
    public var typical: Duration?

    /// Polling that differs from the default in what is given.
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

/// Who uses the service, for its statistics; all of it optional.
///
/// It is not called `App`, which is SwiftUI's name for the type that every app has.
public struct AppIdentity: Hashable, Sendable {
    /// The application's address: http or https, at most 2048 characters.
    public var url: String?
    /// The application's title, at most 256 characters.
    public var title: String?
    /// The application's name, at most 256 characters.
    public var name: String?

    /// An application with what is given.
    public init(url: String? = nil, title: String? = nil, name: String? = nil) {
        self.url = url
        self.title = title
        self.name = name
    }
}

extension Options {
    /// A client's options, as the core takes them.
    init(
        apiKey: String?, baseURL: String?, allowInsecure: Bool?, requestTimeout: Duration?,
        connectTimeout: Duration?, maxRetries: Int?, rateLimit: RateLimit?, polling: Polling,
        deadline: Duration?, webhookSecrets: [String]?, app: AppIdentity,
        headers: [String: String], proxy: String?, caFile: URL?
    ) throws {
        if let caFile, !caFile.isFileURL {
            throw PipevideoError(
                .configuration, "caFile takes a file's URL. Make one with URL(filePath:).")
        }
        self.init(
            apiKey: apiKey, baseUrl: baseURL, allowInsecure: allowInsecure,
            requestTimeout: requestTimeout?.inSeconds, connectTimeout: connectTimeout?.inSeconds,
            maxRetries: maxRetries.map(Int64.init), rateLimit: RateLimit.core(rateLimit),
            minInterval: polling.minInterval?.inSeconds,
            maxInterval: polling.maxInterval?.inSeconds,
            safetyInterval: polling.safetyInterval?.inSeconds, typical: polling.typical?.inSeconds,
            deadline: deadline?.inSeconds, webhookSecrets: webhookSecrets, appUrl: app.url,
            appTitle: app.title, appName: app.name, headers: headers, proxy: proxy,
            caFile: caFile?.path
        )
    }
}

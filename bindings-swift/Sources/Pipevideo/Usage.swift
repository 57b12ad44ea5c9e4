import Foundation
internal import PipevideoFFI

/// The account's usage.
public struct Usage: Sendable {
    let core: NativeClient

    /// Retrieves the balance, the totals, the use per day and the recent requests.
    ///
    /// - Parameter options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func retrieve(options: CallOptions = CallOptions()) async throws -> AccountUsage {
        try await callCore { cancel in
            AccountUsage(try await core.usage(options: options.core, cancel: cancel))
        }
    }
}

/// The account's usage: the balance, totals, the use per day and the recent requests. Amounts are
/// exact and in US dollars.
///
/// It is `Codable` in the service's JSON format.
public struct AccountUsage: Hashable, Sendable, Codable {
    /// The balance in US dollars.
    public let creditBalanceUSD: Decimal?
    /// The totals.
    public let totals: UsageTotals
    /// The use per day.
    public let dailyUsage: [DailyUsage]
    /// The use per day, by engine, model and provider.
    public let dailyUsageByRoute: [DailyRoutes]
    /// The most recent generations. The service has no other list of generations.
    public let recentRequests: [RecentRequest]
    /// The whole response.
    public let raw: JSONValue

    init(_ core: PipevideoFFI.AccountUsage) {
        creditBalanceUSD = Decimal(cents: core.creditBalance)
        totals = UsageTotals(core.totals)
        dailyUsage = core.dailyUsage.map(DailyUsage.init)
        dailyUsageByRoute = core.dailyUsageByRoute.map(DailyRoutes.init)
        recentRequests = core.recentRequests.map(RecentRequest.init)
        raw = JSONValue(text: core.raw)
    }

    /// Creates a value, for tests and previews. Its JSON has what the properties hold.
    public init(
        creditBalanceUSD: Decimal? = nil, totals: UsageTotals = UsageTotals(),
        dailyUsage: [DailyUsage] = [], dailyUsageByRoute: [DailyRoutes] = [],
        recentRequests: [RecentRequest] = []
    ) {
        self.creditBalanceUSD = creditBalanceUSD
        self.totals = totals
        self.dailyUsage = dailyUsage
        self.dailyUsageByRoute = dailyUsageByRoute
        self.recentRequests = recentRequests
        raw = [
            "credit_balance": JSONValue(cents: creditBalanceUSD), "totals": totals.json,
            "daily_usage": .array(dailyUsage.map(\.json)),
            "daily_usage_by_route": .array(dailyUsageByRoute.map(\.json)),
            "recent_requests": .array(recentRequests.map(\.json)),
        ]
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.decode("account's usage", PipevideoFFI.accountUsageFromJson))
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try raw.encode(to: encoder)
    }
}

extension AccountUsage: CustomReflectable {
    /// All properties but the whole response.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "creditBalanceUSD": creditBalanceUSD, "totals": totals, "dailyUsage": dailyUsage,
                "dailyUsageByRoute": dailyUsageByRoute, "recentRequests": recentRequests,
            ]
        )
    }
}

/// Totals of all requests.
public struct UsageTotals: Hashable, Sendable, Codable {
    /// The number of requests.
    public let totalRequests: Int?
    /// The number of completed requests.
    public let completedRequests: Int?
    /// The number of failed requests.
    public let failedRequests: Int?
    /// The total cost in US dollars.
    public let totalCostUSD: Decimal?

    /// Creates a value, for tests and previews.
    public init(
        totalRequests: Int? = nil,
        completedRequests: Int? = nil,
        failedRequests: Int? = nil,
        totalCostUSD: Decimal? = nil
    ) {
        self.totalRequests = totalRequests
        self.completedRequests = completedRequests
        self.failedRequests = failedRequests
        self.totalCostUSD = totalCostUSD
    }

    init(_ core: PipevideoFFI.UsageTotals) {
        totalRequests = core.totalRequests.flatMap(Int.init(exactly:))
        completedRequests = core.completedRequests.flatMap(Int.init(exactly:))
        failedRequests = core.failedRequests.flatMap(Int.init(exactly:))
        totalCostUSD = Decimal(cents: core.totalCostCents)
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(
            try decoder.decode("total") {
                accountUsageFromJson(json: #"{"totals":\#($0)}"#)?.totals
            }
        )
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try json.encode(to: encoder)
    }

    var json: JSONValue {
        [
            "total_requests": JSONValue(totalRequests),
            "completed_requests": JSONValue(completedRequests),
            "failed_requests": JSONValue(failedRequests),
            "total_cost_cents": JSONValue(cents: totalCostUSD),
        ]
    }
}

/// The use of one day.
public struct DailyUsage: Hashable, Sendable, Codable {
    /// The day, as the service writes it.
    public let date: String
    /// The number of requests.
    public let requestCount: Int?
    /// The number of completed requests.
    public let completedCount: Int?
    /// The number of failed requests.
    public let failedCount: Int?
    /// The total cost in US dollars.
    public let totalCostUSD: Decimal?
    /// The total length of the videos.
    public let totalDuration: Duration?

    /// Creates a value, for tests and previews.
    public init(
        date: String,
        requestCount: Int? = nil,
        completedCount: Int? = nil,
        failedCount: Int? = nil,
        totalCostUSD: Decimal? = nil,
        totalDuration: Duration? = nil
    ) {
        self.date = date
        self.requestCount = requestCount
        self.completedCount = completedCount
        self.failedCount = failedCount
        self.totalCostUSD = totalCostUSD
        self.totalDuration = totalDuration
    }

    init(_ core: PipevideoFFI.DailyUsage) {
        date = core.date
        requestCount = core.requestCount.flatMap(Int.init(exactly:))
        completedCount = core.completedCount.flatMap(Int.init(exactly:))
        failedCount = core.failedCount.flatMap(Int.init(exactly:))
        totalCostUSD = Decimal(cents: core.totalCostCents)
        totalDuration = Duration(exact: core.totalDurationSeconds, unit: { .seconds($0) })
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(
            try decoder.decode("day") {
                accountUsageFromJson(json: #"{"daily_usage":[\#($0)]}"#)?.dailyUsage.first
            }
        )
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try json.encode(to: encoder)
    }

    var json: JSONValue {
        [
            "date": .string(date),
            "request_count": JSONValue(requestCount),
            "completed_count": JSONValue(completedCount),
            "failed_count": JSONValue(failedCount),
            "total_cost_cents": JSONValue(cents: totalCostUSD),
            "total_duration_seconds": JSONValue(seconds: totalDuration),
        ]
    }
}

/// The use of one day, by route.
public struct DailyRoutes: Hashable, Sendable, Codable {
    /// The day, as the service writes it.
    public let date: String
    /// The routes that were used.
    public let routes: [RouteUsage]

    /// Creates a value, for tests and previews.
    public init(
        date: String,
        routes: [RouteUsage] = []
    ) {
        self.date = date
        self.routes = routes
    }

    init(_ core: PipevideoFFI.DailyRoutes) {
        date = core.date
        routes = core.routes.map(RouteUsage.init)
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(
            try decoder.decode("day by route") {
                accountUsageFromJson(json: #"{"daily_usage_by_route":[\#($0)]}"#)?.dailyUsageByRoute
                    .first
            }
        )
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try json.encode(to: encoder)
    }

    var json: JSONValue {
        [
            "date": .string(date),
            "routes": .array(routes.map(\.json)),
        ]
    }
}

/// The use of one route: a combination of engine, model and provider.
public struct RouteUsage: Hashable, Sendable, Codable {
    /// The engine.
    public let engine: String?
    /// The orchestration model.
    public let model: String?
    /// The provider's slug.
    public let provider: String?
    /// The number of requests.
    public let requestCount: Int?
    /// The number of completed requests.
    public let completedCount: Int?
    /// The number of failed requests.
    public let failedCount: Int?
    /// The total cost in US dollars.
    public let totalCostUSD: Decimal?
    /// The number of input tokens.
    public let totalPromptTokens: Int?
    /// The number of output tokens.
    public let totalCompletionTokens: Int?
    /// The mean time from the request to the finished video.
    public let averageLatency: Duration?

    /// Creates a value, for tests and previews.
    public init(
        engine: String? = nil,
        model: String? = nil,
        provider: String? = nil,
        requestCount: Int? = nil,
        completedCount: Int? = nil,
        failedCount: Int? = nil,
        totalCostUSD: Decimal? = nil,
        totalPromptTokens: Int? = nil,
        totalCompletionTokens: Int? = nil,
        averageLatency: Duration? = nil
    ) {
        self.engine = engine
        self.model = model
        self.provider = provider
        self.requestCount = requestCount
        self.completedCount = completedCount
        self.failedCount = failedCount
        self.totalCostUSD = totalCostUSD
        self.totalPromptTokens = totalPromptTokens
        self.totalCompletionTokens = totalCompletionTokens
        self.averageLatency = averageLatency
    }

    init(_ core: PipevideoFFI.RouteUsage) {
        engine = core.engine
        model = core.model
        provider = core.provider
        requestCount = core.requestCount.flatMap(Int.init(exactly:))
        completedCount = core.completedCount.flatMap(Int.init(exactly:))
        failedCount = core.failedCount.flatMap(Int.init(exactly:))
        totalCostUSD = Decimal(cents: core.totalCostCents)
        totalPromptTokens = core.totalPromptTokens.flatMap(Int.init(exactly:))
        totalCompletionTokens = core.totalCompletionTokens.flatMap(Int.init(exactly:))
        averageLatency = Duration(exact: core.avgLatencyMs, unit: { .milliseconds($0) })
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(
            try decoder.decode("route") {
                accountUsageFromJson(
                    json: #"{"daily_usage_by_route":[{"date":"","routes":[\#($0)]}]}"#)?
                    .dailyUsageByRoute.first?.routes.first
            }
        )
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try json.encode(to: encoder)
    }

    var json: JSONValue {
        [
            "engine": JSONValue(engine),
            "model": JSONValue(model),
            "provider": JSONValue(provider),
            "request_count": JSONValue(requestCount),
            "completed_count": JSONValue(completedCount),
            "failed_count": JSONValue(failedCount),
            "total_cost_cents": JSONValue(cents: totalCostUSD),
            "total_prompt_tokens": JSONValue(totalPromptTokens),
            "total_completion_tokens": JSONValue(totalCompletionTokens),
            "avg_latency_ms": JSONValue(milliseconds: averageLatency),
        ]
    }
}

/// One of the most recent generations.
public struct RecentRequest: Hashable, Sendable, Codable, Identifiable {
    /// The generation's id, which is all that is needed to continue with it.
    public let id: String
    /// The status.
    public let status: Status?
    /// The orchestration model.
    public let modelName: String?
    /// The engine.
    public let engine: String?
    /// The cost in US dollars.
    public let costUSD: Decimal?
    /// The time from the request to the finished video.
    public let latency: Duration?
    /// When the service accepted the request.
    public let createdAt: Date?
    /// When the generation ended.
    public let completedAt: Date?

    /// Creates a value, for tests and previews.
    public init(
        id: String,
        status: Status? = nil,
        modelName: String? = nil,
        engine: String? = nil,
        costUSD: Decimal? = nil,
        latency: Duration? = nil,
        createdAt: Date? = nil,
        completedAt: Date? = nil
    ) {
        self.id = id
        self.status = status
        self.modelName = modelName
        self.engine = engine
        self.costUSD = costUSD
        self.latency = latency
        self.createdAt = createdAt
        self.completedAt = completedAt
    }

    init(_ core: PipevideoFFI.RecentRequest) {
        id = core.id
        status = core.status.map(Status.init)
        modelName = core.modelName
        engine = core.engine
        costUSD = Decimal(cents: core.costCents)
        latency = core.latencyMs.flatMap(Duration.init(milliseconds:))
        createdAt = core.createdAt?.roundedToMilliseconds
        completedAt = core.completedAt?.roundedToMilliseconds
    }

    /// Decodes the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(
            try decoder.decode("recent request") {
                accountUsageFromJson(json: #"{"recent_requests":[\#($0)]}"#)?.recentRequests.first
            }
        )
    }

    /// Encodes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try json.encode(to: encoder)
    }

    var json: JSONValue {
        [
            "id": .string(id),
            "status": JSONValue(status?.rawValue),
            "model_name": JSONValue(modelName),
            "engine": JSONValue(engine),
            "cost_cents": JSONValue(cents: costUSD),
            "latency_ms": JSONValue(milliseconds: latency),
            "created_at": JSONValue(milliseconds: createdAt),
            "completed_at": JSONValue(milliseconds: completedAt),
        ]
    }
}

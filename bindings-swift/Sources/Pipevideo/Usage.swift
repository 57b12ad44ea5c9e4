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
/// exact.
///
/// It is `Codable` in the service's JSON format.
public struct AccountUsage: Hashable, Sendable, Codable {
    /// The balance in US cents.
    public let creditBalance: Decimal?
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
        creditBalance = Decimal(exact: core.creditBalance)
        totals = UsageTotals(core.totals)
        dailyUsage = core.dailyUsage.map(DailyUsage.init)
        dailyUsageByRoute = core.dailyUsageByRoute.map(DailyRoutes.init)
        recentRequests = core.recentRequests.map(RecentRequest.init)
        raw = JSONValue(text: core.raw)
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
                "creditBalance": creditBalance, "totals": totals, "dailyUsage": dailyUsage,
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
    /// The total cost in US cents.
    public let totalCostCents: Decimal?

    init(_ core: PipevideoFFI.UsageTotals) {
        totalRequests = core.totalRequests.flatMap(Int.init(exactly:))
        completedRequests = core.completedRequests.flatMap(Int.init(exactly:))
        failedRequests = core.failedRequests.flatMap(Int.init(exactly:))
        totalCostCents = Decimal(exact: core.totalCostCents)
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
    /// The total cost in US cents.
    public let totalCostCents: Decimal?
    /// The total length of the videos, in seconds.
    public let totalDurationSeconds: Decimal?

    init(_ core: PipevideoFFI.DailyUsage) {
        date = core.date
        requestCount = core.requestCount.flatMap(Int.init(exactly:))
        completedCount = core.completedCount.flatMap(Int.init(exactly:))
        failedCount = core.failedCount.flatMap(Int.init(exactly:))
        totalCostCents = Decimal(exact: core.totalCostCents)
        totalDurationSeconds = Decimal(exact: core.totalDurationSeconds)
    }
}

/// The use of one day, by route.
public struct DailyRoutes: Hashable, Sendable, Codable {
    /// The day, as the service writes it.
    public let date: String
    /// The routes that were used.
    public let routes: [RouteUsage]

    init(_ core: PipevideoFFI.DailyRoutes) {
        date = core.date
        routes = core.routes.map(RouteUsage.init)
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
    /// The total cost in US cents.
    public let totalCostCents: Decimal?
    /// The number of input tokens.
    public let totalPromptTokens: Int?
    /// The number of output tokens.
    public let totalCompletionTokens: Int?
    /// The mean time from request to finished video, in milliseconds.
    public let avgLatencyMs: Decimal?

    init(_ core: PipevideoFFI.RouteUsage) {
        engine = core.engine
        model = core.model
        provider = core.provider
        requestCount = core.requestCount.flatMap(Int.init(exactly:))
        completedCount = core.completedCount.flatMap(Int.init(exactly:))
        failedCount = core.failedCount.flatMap(Int.init(exactly:))
        totalCostCents = Decimal(exact: core.totalCostCents)
        totalPromptTokens = core.totalPromptTokens.flatMap(Int.init(exactly:))
        totalCompletionTokens = core.totalCompletionTokens.flatMap(Int.init(exactly:))
        avgLatencyMs = Decimal(exact: core.avgLatencyMs)
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
    /// The cost in US cents.
    public let costCents: Decimal?
    /// The time from the request to the finished video.
    public let latency: Duration?
    /// When the service accepted the request.
    public let createdAt: Date?
    /// When the generation ended.
    public let completedAt: Date?

    init(_ core: PipevideoFFI.RecentRequest) {
        id = core.id
        status = core.status.map(Status.init)
        modelName = core.modelName
        engine = core.engine
        costCents = Decimal(exact: core.costCents)
        latency = core.latencyMs.flatMap(Duration.init(milliseconds:))
        createdAt = core.createdAt
        completedAt = core.completedAt
    }
}

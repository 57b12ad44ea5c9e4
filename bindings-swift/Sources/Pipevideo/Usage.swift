import Foundation
internal import PipevideoFFI

/// The account's usage.
public struct Usage: Sendable {
    let core: Core

    /// Retrieves the balance, the sums, the days and the recent requests.
    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func retrieve() async throws -> AccountUsage {
        try await call { cancel in AccountUsage(try await core.usage(cancel: cancel)) }
    }
}

/// The account's usage: balance, totals, days and recent requests. Amounts are exact.
///
/// It is read from and written as the service's JSON.
public struct AccountUsage: Hashable, Sendable, Codable {
    /// What is left, in US cents.
    public let creditBalance: Decimal?
    /// The sums.
    public let totals: UsageTotals
    /// Each day.
    public let dailyUsage: [DailyUsage]
    /// Each day, by engine, model and provider.
    public let dailyUsageByRoute: [DailyRoutes]
    /// The latest generations; the only list of them that the service offers.
    public let recentRequests: [RecentRequest]
    /// The answer as it came.
    public let raw: JSONValue

    init(_ core: PipevideoFFI.AccountUsage) {
        creditBalance = Decimal(exact: core.creditBalance)
        totals = UsageTotals(core.totals)
        dailyUsage = core.dailyUsage.map(DailyUsage.init)
        dailyUsageByRoute = core.dailyUsageByRoute.map(DailyRoutes.init)
        recentRequests = core.recentRequests.map(RecentRequest.init)
        raw = JSONValue(text: core.raw)
    }

    /// Reads the service's JSON.
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.read("account's usage", PipevideoFFI.accountUsageFromJson))
    }

    /// Writes the service's JSON.
    public func encode(to encoder: any Encoder) throws {
        try raw.encode(to: encoder)
    }
}

/// Sums over all requests.
public struct UsageTotals: Hashable, Sendable, Codable {
    /// All of them.
    public let totalRequests: Int?
    /// The completed ones.
    public let completedRequests: Int?
    /// The failed ones.
    public let failedRequests: Int?
    /// What they cost, in US cents.
    public let totalCostCents: Decimal?

    init(_ core: PipevideoFFI.UsageTotals) {
        totalRequests = core.totalRequests.flatMap(Int.init(exactly:))
        completedRequests = core.completedRequests.flatMap(Int.init(exactly:))
        failedRequests = core.failedRequests.flatMap(Int.init(exactly:))
        totalCostCents = Decimal(exact: core.totalCostCents)
    }
}

/// One day.
public struct DailyUsage: Hashable, Sendable, Codable {
    /// The day, as the service writes it.
    public let date: String
    /// All requests.
    public let requestCount: Int?
    /// The completed ones.
    public let completedCount: Int?
    /// The failed ones.
    public let failedCount: Int?
    /// What they cost, in US cents.
    public let totalCostCents: Decimal?
    /// How much video was made, in seconds.
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

/// One day, by route.
public struct DailyRoutes: Hashable, Sendable, Codable {
    /// The day, as the service writes it.
    public let date: String
    /// Each route that was used.
    public let routes: [RouteUsage]

    init(_ core: PipevideoFFI.DailyRoutes) {
        date = core.date
        routes = core.routes.map(RouteUsage.init)
    }
}

/// The use of one engine, model and provider together.
public struct RouteUsage: Hashable, Sendable, Codable {
    /// The engine.
    public let engine: String?
    /// The orchestration model.
    public let model: String?
    /// The provider's slug.
    public let provider: String?
    /// All requests.
    public let requestCount: Int?
    /// The completed ones.
    public let completedCount: Int?
    /// The failed ones.
    public let failedCount: Int?
    /// What they cost, in US cents.
    public let totalCostCents: Decimal?
    /// Tokens read.
    public let totalPromptTokens: Int?
    /// Tokens written.
    public let totalCompletionTokens: Int?
    /// The mean time end to end, in milliseconds.
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

/// One of the latest generations.
public struct RecentRequest: Hashable, Sendable, Codable, Identifiable {
    /// The generation's id: all that is needed to go on with it.
    public let id: String
    /// How far it is.
    public let status: Status?
    /// The orchestration model.
    public let modelName: String?
    /// The engine.
    public let engine: String?
    /// What it cost, in US cents.
    public let costCents: Decimal?
    /// How long it took end to end.
    public let latency: Duration?
    /// When the service took it.
    public let createdAt: Date?
    /// When it ended.
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

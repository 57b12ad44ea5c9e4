import Foundation
internal import PipevideoFFI

/// What generations of one kind are expected to cost, in US dollars and exact.
///
/// A cost that is not known is `nil`, never zero. ``PipevideoClient/estimate(model:engine:count:options:)``
/// returns it.
public struct CostEstimate: Hashable, Sendable, Codable {
    /// The expected cost of all of them.
    public let costUSD: Decimal?
    /// The cost that nine of ten such batches exceed.
    public let low: Decimal?
    /// The cost that nine of ten such batches stay below.
    public let high: Decimal?
    /// Where the estimate comes from; `nil` if nothing is known.
    public let basedOn: EstimateBasis?
    /// The number of completed generations that it is based on.
    public let samples: Int

    init(_ core: PipevideoFFI.CostEstimate) {
        costUSD = Decimal(exact: core.costUsd)
        low = Decimal(exact: core.low)
        high = Decimal(exact: core.high)
        basedOn = core.basedOn.map(EstimateBasis.init)
        samples = Int(clamping: core.samples)
    }

    /// Creates an estimate, for tests and previews.
    public init(
        costUSD: Decimal? = nil, low: Decimal? = nil, high: Decimal? = nil,
        basedOn: EstimateBasis? = nil, samples: Int = 0
    ) {
        self.costUSD = costUSD
        self.low = low
        self.high = high
        self.basedOn = basedOn
        self.samples = samples
    }

    /// Decodes what ``encode(to:)`` has written.
    public init(from decoder: any Decoder) throws {
        self = try decoder.decodeMembers("cost estimate") { json in
            json["samples"]?.int.map { samples in
                CostEstimate(
                    costUSD: json["cost_usd"]?.decimal, low: json["low"]?.decimal,
                    high: json["high"]?.decimal,
                    basedOn: json["based_on"]?.stringValue.map(EstimateBasis.init),
                    samples: samples
                )
            }
        }
    }

    /// Encodes the properties in snake case, as `cost_usd`.
    public func encode(to encoder: any Encoder) throws {
        let json: JSONValue = [
            "cost_usd": JSONValue(costUSD), "low": JSONValue(low), "high": JSONValue(high),
            "based_on": JSONValue(basedOn?.rawValue), "samples": JSONValue(samples),
        ]
        try json.encode(to: encoder)
    }
}

/// Where an estimate comes from: `seen`, `account` or `rates`, the best source first.
public struct EstimateBasis: RawRepresentable, Hashable, Sendable, Codable,
    CustomStringConvertible
{
    /// The literal, the same in every language.
    public let rawValue: String

    /// Creates a basis from its literal.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The literal, the same in every language.
    public var description: String { rawValue }

    /// The costs of generations that this process has seen complete.
    public static let seen = EstimateBasis(rawValue: "seen")
    /// The account's usage by route of the last days.
    public static let account = EstimateBasis(rawValue: "account")
    /// The tokens of other generations, at the rates of this model.
    public static let rates = EstimateBasis(rawValue: "rates")
}

/// What the generations of one key have cost in this process, in US dollars and exact.
///
/// It covers the generations that this process has created, and those that it has seen before their
/// end. An amount in flight or uncertain is an estimate. ``PipevideoClient/spend`` returns it.
public struct Spend: Hashable, Sendable, Codable {
    /// The cost of the generations that have ended, failed ones included.
    public let spent: Decimal
    /// The part of ``spent`` that failed generations were charged.
    public let failedButCharged: Decimal
    /// The estimated cost of the generations that have not ended, as far as one is known.
    public let inFlight: Decimal
    /// The estimated cost of what may have been charged and is not known: creates with an unknown
    /// outcome, and generations that ended without a cost.
    public let uncertain: Decimal
    /// The client's spend limit, if it has one.
    public let limit: Decimal?
    /// What is left of the limit: zero if it is reached or exceeded.
    public let remaining: Decimal?
    /// The number of generations in flight.
    public let inFlightCount: Int
    /// The number of creates and generations with an uncertain cost.
    public let uncertainCount: Int
    /// The number of those in flight or uncertain for which no estimate is known. They add nothing to
    /// the amounts.
    public let unknownCount: Int

    init(_ core: PipevideoFFI.Spend) {
        // The core writes a plain decimal, which is always read.
        func amount(_ text: String) -> Decimal { Decimal(exact: text) ?? .nan }
        spent = amount(core.spent)
        failedButCharged = amount(core.failedButCharged)
        inFlight = amount(core.inFlight)
        uncertain = amount(core.uncertain)
        limit = Decimal(exact: core.limit)
        remaining = Decimal(exact: core.remaining)
        inFlightCount = Int(clamping: core.inFlightCount)
        uncertainCount = Int(clamping: core.uncertainCount)
        unknownCount = Int(clamping: core.unknownCount)
    }

    /// Creates a value, for tests and previews.
    public init(
        spent: Decimal = 0, failedButCharged: Decimal = 0, inFlight: Decimal = 0,
        uncertain: Decimal = 0, limit: Decimal? = nil, remaining: Decimal? = nil,
        inFlightCount: Int = 0, uncertainCount: Int = 0, unknownCount: Int = 0
    ) {
        self.spent = spent
        self.failedButCharged = failedButCharged
        self.inFlight = inFlight
        self.uncertain = uncertain
        self.limit = limit
        self.remaining = remaining
        self.inFlightCount = inFlightCount
        self.uncertainCount = uncertainCount
        self.unknownCount = unknownCount
    }

    /// Decodes what ``encode(to:)`` has written.
    public init(from decoder: any Decoder) throws {
        self = try decoder.decodeMembers("spend") { json in
            json["spent"]?.decimal.map { spent in
                Spend(
                    spent: spent, failedButCharged: json["failed_but_charged"]?.decimal ?? 0,
                    inFlight: json["in_flight"]?.decimal ?? 0,
                    uncertain: json["uncertain"]?.decimal ?? 0, limit: json["limit"]?.decimal,
                    remaining: json["remaining"]?.decimal,
                    inFlightCount: json["in_flight_count"]?.int ?? 0,
                    uncertainCount: json["uncertain_count"]?.int ?? 0,
                    unknownCount: json["unknown_count"]?.int ?? 0
                )
            }
        }
    }

    /// Encodes the properties in snake case, as `failed_but_charged`.
    public func encode(to encoder: any Encoder) throws {
        let json: JSONValue = [
            "spent": .number(spent), "failed_but_charged": .number(failedButCharged),
            "in_flight": .number(inFlight), "uncertain": .number(uncertain),
            "limit": JSONValue(limit), "remaining": JSONValue(remaining),
            "in_flight_count": JSONValue(inFlightCount),
            "uncertain_count": JSONValue(uncertainCount),
            "unknown_count": JSONValue(unknownCount),
        ]
        try json.encode(to: encoder)
    }
}

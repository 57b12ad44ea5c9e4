import Foundation
internal import PipevideoFFI

/// What an uncertain create may have made, the most likely one first: a collection that says how
/// complete it is.
public struct Candidates: RandomAccessCollection, Hashable, Sendable {
    private let found: [Candidate]
    /// When the oldest request was created that the service listed, by this machine's clock.
    public let reachesBackTo: Date?
    /// Whether the service's list certainly reaches back to the create. If not, an empty collection
    /// says nothing.
    public let coversCreate: Bool

    /// The position of the most likely candidate.
    public var startIndex: Int { found.startIndex }
    /// The position after the last candidate.
    public var endIndex: Int { found.endIndex }
    /// The candidate at a position.
    public subscript(position: Int) -> Candidate { found[position] }

    /// Creates a collection, for tests and previews.
    public init(_ found: [Candidate], reachesBackTo: Date? = nil, coversCreate: Bool = false) {
        self.found = found
        self.reachesBackTo = reachesBackTo
        self.coversCreate = coversCreate
    }

    init(_ core: PipevideoFFI.Candidates) {
        found = core.found.map(Candidate.init)
        reachesBackTo = core.reachesBackTo
        coversCreate = core.coversCreate
    }
}

/// A generation that an uncertain create may have made, with the reasons for and against.
public struct Candidate: Hashable, Sendable, Codable, Identifiable {
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
    /// When the service accepted the request, by the service's clock.
    public let createdAt: Date?
    /// When the generation ended, by the service's clock.
    public let completedAt: Date?
    /// Whether it has the model of the create, in whatever spelling; `nil` if its model is unknown.
    public let isSameModel: Bool?
    /// How long after the create was sent it was created, with the difference between the clocks taken
    /// out; negative if before.
    public let timeAfterCreate: Duration?
    /// Whether this process knew it before the create was sent, so that it is very likely another
    /// one.
    public let wasKnownBefore: Bool

    /// Creates a candidate, for tests and previews.
    public init(
        _ request: RecentRequest, isSameModel: Bool? = nil, timeAfterCreate: Duration? = nil,
        wasKnownBefore: Bool = false
    ) {
        id = request.id
        status = request.status
        modelName = request.modelName
        engine = request.engine
        costUSD = request.costUSD
        latency = request.latency
        createdAt = request.createdAt
        completedAt = request.completedAt
        self.isSameModel = isSameModel
        self.timeAfterCreate = timeAfterCreate
        self.wasKnownBefore = wasKnownBefore
    }

    init(_ core: PipevideoFFI.Candidate) {
        let request = RecentRequest(
            id: core.id, status: core.status.map(Status.init), modelName: core.modelName,
            engine: core.engine, costUSD: Decimal(cents: core.costCents),
            latency: core.latencyMs.flatMap(Duration.init(milliseconds:)),
            createdAt: core.createdAt?.roundedToMilliseconds,
            completedAt: core.completedAt?.roundedToMilliseconds
        )
        self.init(
            request, isSameModel: core.sameModel,
            timeAfterCreate: core.secondsAfterCreate.map { .seconds($0) },
            wasKnownBefore: core.knownBefore
        )
    }

    /// Decodes what ``encode(to:)`` has written.
    public init(from decoder: any Decoder) throws {
        let json = try JSONValue(from: decoder)
        self.init(
            try RecentRequest(from: decoder), isSameModel: json["same_model"]?.bool,
            timeAfterCreate: json["seconds_after_create"]?.duration,
            wasKnownBefore: json["known_before"]?.bool ?? false
        )
    }

    /// Encodes the service's JSON of a recent request, with `same_model`, `seconds_after_create` and
    /// `known_before`.
    public func encode(to encoder: any Encoder) throws {
        let request = RecentRequest(
            id: id, status: status, modelName: modelName, engine: engine, costUSD: costUSD,
            latency: latency, createdAt: createdAt, completedAt: completedAt
        )
        let reasons: [String: JSONValue] = [
            "same_model": isSameModel.map(JSONValue.bool) ?? .null,
            "seconds_after_create": JSONValue(seconds: timeAfterCreate),
            "known_before": .bool(wasKnownBefore),
        ]
        guard case .object(let members) = request.json else { return }
        try JSONValue.object(members.merging(reasons) { old, _ in old }).encode(to: encoder)
    }
}

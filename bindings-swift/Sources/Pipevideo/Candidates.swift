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
    /// The cost in US cents.
    public let costCents: Decimal?
    /// The time from the request to the finished video.
    public let latency: Duration?
    /// When the service accepted the request, by the service's clock.
    public let createdAt: Date?
    /// When the generation ended, by the service's clock.
    public let completedAt: Date?
    /// Whether it has the model of the create, in whatever spelling; `nil` if its model is unknown.
    public let isSameModel: Bool?
    /// How many seconds after the create was sent it was created, with the difference between the
    /// clocks taken out; negative if before.
    public let secondsAfterCreate: Double?
    /// Whether this process knew it before the create was sent, so that it is very likely another
    /// one.
    public let wasKnownBefore: Bool

    init(_ core: PipevideoFFI.Candidate) {
        id = core.id
        status = core.status.map(Status.init)
        modelName = core.modelName
        engine = core.engine
        costCents = Decimal(exact: core.costCents)
        latency = core.latencyMs.flatMap(Duration.init(milliseconds:))
        createdAt = core.createdAt
        completedAt = core.completedAt
        isSameModel = core.sameModel
        secondsAfterCreate = core.secondsAfterCreate
        wasKnownBefore = core.knownBefore
    }
}

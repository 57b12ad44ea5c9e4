import Foundation
internal import PipevideoFFI

/// What went wrong: one type, told apart by ``kind-swift.property``.
///
/// Its text says what happened, what that means and what to do. It is safe to log: no key, no prompt,
/// no query of a URL is in it. What the service itself said of a failed generation may quote the
/// prompt and is therefore only in ``generation``.
///
/// ```swift
/// do {
///     let generation = try await client.generate(model: model, input: "A cat walking on a beach")
/// } catch let error as PipevideoError where error.kind == .submissionUncertain {
///     let candidates = try await client.responses.reconcile(error)
/// }
/// ```
public struct PipevideoError: LocalizedError, Sendable {
    /// What sort of error it is.
    public let kind: Kind
    /// What happened, what it means, what to do; safe to log.
    public let message: String
    /// The HTTP status of the answer, if there was one.
    public let status: Int?
    /// The service's code for it, if it gave one.
    public let code: String?
    /// The service's id of the HTTP request, for its support.
    public let requestID: String?
    /// The generation that the call was about, if it has an id.
    public let generationID: String?
    /// Whether the same call, made again as it is, may succeed and cannot pay twice.
    public let retryable: Bool
    /// How long the service asks to wait before the next try.
    public let retryAfter: Duration?
    /// How many requests the call made; 0 if it was refused before sending, and for the end of a
    /// wait, which counts its looks in `polls`.
    public let attempts: Int
    /// The model of an uncertain create.
    public let model: String?
    /// When an uncertain create was sent, by this machine's clock.
    public let sentAt: Date?
    /// The generation that failed.
    public let generation: Generation?
    /// Why a generation failed, as a category.
    public let category: FailureCategory?
    /// The last snapshot, when a wait ran into its deadline.
    public let last: Generation?
    /// How often a wait that ran into its deadline had looked.
    public let polls: Int?
    /// Why a webhook's delivery was refused.
    public let reason: Reason?
    /// What caused it: another error of this library, or what the token function has thrown.
    public let cause: (any Error)?

    /// The same as ``message``.
    public var errorDescription: String? { message }

    init(_ details: ErrorDetails, cause: (any Error)? = nil) {
        kind = Kind(rawValue: details.kind)
        message = details.message
        status = details.status.map(Int.init)
        code = details.code
        requestID = details.requestId
        generationID = details.generationId
        retryable = details.retryable
        retryAfter = details.retryAfter.map { .seconds($0) }
        attempts = Int(details.attempts)
        model = details.model
        sentAt = details.sentAt
        generation = details.generation.map(Generation.init)
        category = details.category.map(FailureCategory.init)
        last = details.last.map(Generation.init)
        polls = details.polls.map(Int.init)
        reason = details.reason.map(Reason.init)
        self.cause = cause ?? details.causes.first.map { PipevideoError($0) }
    }

    /// An error that the face itself finds in an argument.
    init(_ kind: Kind, _ message: String) {
        self.init(
            ErrorDetails(
                kind: kind.rawValue, message: message, status: nil, code: nil, requestId: nil,
                generationId: nil, retryable: false, retryAfter: nil, attempts: 0, model: nil,
                sentAt: nil, generation: nil, category: nil, last: nil, polls: nil, reason: nil,
                causes: []
            )
        )
    }
}

// The generation holds a signed URL, and perhaps the prompt, and the cause may be anybody's: neither
// is shown.
extension PipevideoError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The same as ``message``.
    public var description: String { message }

    /// The kind and the ``message``.
    public var debugDescription: String { "PipevideoError(\(kind): \(message))" }

    /// What `dump` shows: no more than ``debugDescription``, and the numbers.
    public var customMirror: Mirror {
        Mirror(
            self,
            children: [
                "kind": kind.rawValue, "message": message, "status": status as Any,
                "generationID": generationID as Any, "attempts": attempts,
            ]
        )
    }
}

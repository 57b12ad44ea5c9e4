import Foundation
internal import PipevideoFFI

/// An error of this library. The ``kind-swift.property`` says which.
///
/// The ``message`` says what happened, what it means and what to do. It is safe to log: it contains no
/// key, no prompt and no query of a URL. The service's own words, which may quote the prompt, are kept
/// apart, in ``serviceMessage`` and ``generation``.
///
/// ```swift
/// do {
///     let generation = try await client.generate(model: model, input: "A cat walking on a beach")
/// } catch let error as PipevideoError where error.kind == .submissionUncertain {
///     let candidates = try await client.responses.candidates(for: error)
/// }
/// ```
///
/// As `NSError`, each kind has an ``errorCode`` of its own in ``errorDomain``.
public struct PipevideoError: LocalizedError, CustomNSError, Sendable {
    /// The kind of the error.
    public let kind: Kind
    /// What happened, what it means and what to do. Safe to log.
    public let message: String
    /// The service's own words, if it sent any. They may quote the prompt, so think before you log
    /// them.
    public let serviceMessage: String?
    /// The HTTP status of the response, if there was one.
    public let status: Int?
    /// The service's code for the error, if it sent one.
    public let code: String?
    /// The service's id of the HTTP request, for its support.
    public let requestID: String?
    /// The id of the generation that the call was about, if it has one.
    public let generationID: String?
    /// Whether the same call may succeed if you make it again, and cannot pay twice.
    public let isRetryable: Bool
    /// How long the service asks to wait before the next attempt.
    public let retryAfter: Duration?
    /// The number of requests that the call sent. It is 0 if the call was refused before sending, and
    /// for the end of a wait, which counts its ``polls`` instead.
    public let attempts: Int
    /// The model of an uncertain create.
    public let model: String?
    /// When an uncertain create was sent, by the clock of this machine.
    public let sentAt: Date?
    /// The generation that failed.
    public let generation: Generation?
    /// The category of a generation's failure.
    public let category: FailureCategory?
    /// The last snapshot of a wait that reached its deadline.
    public let last: Generation?
    /// The number of polls of a wait that reached its deadline.
    public let polls: Int?
    /// Why a webhook delivery was refused.
    public let reason: Reason?
    /// The error behind this one: another error of this library, or what the token function threw.
    public let cause: (any Error)?

    /// What to do: the end of the ``message``, if it has such an end.
    public let recoverySuggestion: String?

    /// What happened and what it means: the ``message`` without the ``recoverySuggestion``.
    public var errorDescription: String? {
        guard let recoverySuggestion, message.hasSuffix(recoverySuggestion) else { return message }
        return String(message.dropLast(recoverySuggestion.count + 1))
    }

    init(_ details: ErrorDetails, cause: (any Error)? = nil) {
        kind = Kind(rawValue: details.kind)
        // The messages are the same in all languages, and name the call as the others do.
        func spelled(_ text: String) -> String {
            text.replacingOccurrences(of: "reconcile()", with: "candidates(for:)")
        }
        message = spelled(details.message)
        recoverySuggestion = details.advice.map(spelled)
        serviceMessage = details.serviceMessage
        status = details.status.map(Int.init)
        code = details.code
        requestID = details.requestId
        generationID = details.generationId
        isRetryable = details.retryable
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

    /// Creates an error, for tests and previews. The suggestion is appended to the message; the other
    /// arguments are the properties of the same names.
    public init(
        _ kind: Kind, _ message: String, recoverySuggestion: String? = nil,
        serviceMessage: String? = nil, status: Int? = nil, code: String? = nil,
        requestID: String? = nil, generationID: String? = nil, isRetryable: Bool = false,
        retryAfter: Duration? = nil, attempts: Int = 0, model: String? = nil, sentAt: Date? = nil,
        generation: Generation? = nil, category: FailureCategory? = nil, last: Generation? = nil,
        polls: Int? = nil, reason: Reason? = nil, cause: (any Error)? = nil
    ) {
        self.kind = kind
        self.message = recoverySuggestion.map { "\(message) \($0)" } ?? message
        self.recoverySuggestion = recoverySuggestion
        self.serviceMessage = serviceMessage
        self.status = status
        self.code = code
        self.requestID = requestID
        self.generationID = generationID
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter
        self.attempts = attempts
        self.model = model
        self.sentAt = sentAt
        self.generation = generation
        self.category = category
        self.last = last
        self.polls = polls
        self.reason = reason
        self.cause = cause
    }
}

extension PipevideoError: Equatable {
    /// Whether all properties are equal, except for the ``cause``, which may be any error.
    public static func == (left: PipevideoError, right: PipevideoError) -> Bool {
        (left.kind, left.message, left.serviceMessage, left.status, left.code, left.requestID)
            == (
                right.kind, right.message, right.serviceMessage, right.status, right.code,
                right.requestID
            )
            && (left.generationID, left.isRetryable, left.retryAfter, left.attempts, left.model)
                == (
                    right.generationID, right.isRetryable, right.retryAfter, right.attempts,
                    right.model
                )
            && (left.sentAt, left.generation, left.category, left.last, left.polls, left.reason)
                == (
                    right.sentAt, right.generation, right.category, right.last, right.polls,
                    right.reason
                )
    }
}

extension PipevideoError {
    /// The domain of these errors as `NSError`.
    public static let errorDomain = "Pipevideo.PipevideoError"

    /// The number of the ``kind-swift.property``, which never changes; 0 for a kind that this version
    /// does not have.
    public var errorCode: Int { Self.codes[kind] ?? 0 }

    /// The texts for alerts.
    public var errorUserInfo: [String: Any] {
        // Foundation on Linux takes them from here alone.
        let texts = [
            NSLocalizedDescriptionKey: errorDescription,
            NSLocalizedRecoverySuggestionErrorKey: recoverySuggestion,
        ]
        return texts.compactMapValues { $0 }
    }

    // Crash reports group errors by these numbers: a new kind takes the next one.
    private static let codes: [Kind: Int] = [
        .configuration: 1, .invalidRequest: 2, .badRequest: 3, .insufficientCredits: 4,
        .authentication: 5, .permissionDenied: 6, .notFound: 7, .rateLimited: 8, .server: 9,
        .apiStatus: 10, .connection: 11, .timeout: 12, .decode: 13, .submissionUncertain: 14,
        .generationFailed: 15, .waitTimeout: 16, .download: 17, .webhookVerification: 18,
        .spendLimit: 19, .internal: 20,
    ]
}

// Left out: the service's words, which may quote the prompt, and the cause, which may be any error of
// the app.
extension PipevideoError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The same as ``message``.
    public var description: String { message }

    /// The kind and the ``message``.
    public var debugDescription: String { "PipevideoError(\(kind): \(message))" }

    /// The properties that are safe to print. ``serviceMessage`` and ``cause`` show as `hidden`.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "kind": kind, "message": message,
                "serviceMessage": serviceMessage.map { _ in Hidden() }, "status": status,
                "code": code, "requestID": requestID, "generationID": generationID,
                "isRetryable": isRetryable, "retryAfter": retryAfter, "attempts": attempts,
                "model": model, "sentAt": sentAt, "generation": generation, "category": category,
                "last": last, "polls": polls, "reason": reason,
                "cause": cause.map { _ in Hidden() },
            ]
        )
    }
}

extension PipevideoError {
    /// Why a webhook delivery was refused.
    public struct Reason: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
        /// The literal, the same in every language, such as `no_match`.
        public let rawValue: String

        /// Creates a reason from its literal.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The literal, the same in every language.
        public var description: String { rawValue }

        /// The header with the id, the timestamp or the signature is missing.
        public static let missingHeader = Reason(rawValue: "missing_header")
        /// The timestamp is not a number of Unix seconds.
        public static let badTimestamp = Reason(rawValue: "bad_timestamp")
        /// The delivery was signed more than five minutes ago. It may be a replay.
        public static let tooOld = Reason(rawValue: "too_old")
        /// The delivery was signed more than five minutes in the future. One of the clocks is wrong.
        public static let tooNew = Reason(rawValue: "too_new")
        /// The signature matches none of the secrets.
        public static let noMatch = Reason(rawValue: "no_match")
        /// The signature is valid, but the body is not an event, or is too large.
        public static let badPayload = Reason(rawValue: "bad_payload")
    }
}

/// How far a generation is; it only ever moves forward. A status that this library does not know is
/// the service's own text, and is no end.
public struct Status: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// The service's word.
    public let rawValue: String

    /// A status by the service's word.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The service's word.
    public var description: String { rawValue }

    /// Accepted, not begun.
    public static let queued = Status(rawValue: "queued")
    /// Being composed or rendered.
    public static let inProgress = Status(rawValue: "in_progress")
    /// Finished; the video is there.
    public static let completed = Status(rawValue: "completed")
    /// Ended without a video.
    public static let failed = Status(rawValue: "failed")
}

/// What kind of failure ended a generation.
public struct FailureCategory: RawRepresentable, Hashable, Sendable, Codable {
    /// The name that every language uses.
    public let rawValue: String

    /// A category by its name.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The balance was zero, or the charge failed.
    public static let insufficientCredits = FailureCategory(rawValue: "insufficient_credits")
    /// The orchestration or the render pipeline of the provider failed.
    public static let provider = FailureCategory(rawValue: "provider")
    /// The engine or model is not available at the provider.
    public static let unavailable = FailureCategory(rawValue: "unavailable")
    /// The prompt was refused.
    public static let invalidPrompt = FailureCategory(rawValue: "invalid_prompt")
    /// Nothing that this library can tell.
    public static let other = FailureCategory(rawValue: "other")
}

extension FailureCategory: CustomStringConvertible {
    /// The name that every language uses.
    public var description: String { rawValue }
}

/// How a change was learned of.
public struct Via: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// The name that every language uses.
    public let rawValue: String

    /// A way by its name.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The name that every language uses.
    public var description: String { rawValue }

    /// The service was asked.
    public static let poll = Via(rawValue: "poll")
    /// A webhook said to ask.
    public static let webhook = Via(rawValue: "webhook")
}

/// Who speaks in a message.
public struct Role: RawRepresentable, Hashable, Sendable, Codable {
    /// The service's word.
    public let rawValue: String

    /// A role by the service's word.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The person who wants the video.
    public static let user = Role(rawValue: "user")
    /// Guidance that outranks the user's.
    public static let system = Role(rawValue: "system")
    /// The model, in an earlier turn.
    public static let assistant = Role(rawValue: "assistant")
    /// Guidance by the program's author.
    public static let developer = Role(rawValue: "developer")
}

/// How closely the model looks at an image.
public struct Detail: RawRepresentable, Hashable, Sendable, Codable {
    /// The service's word.
    public let rawValue: String

    /// A detail by the service's word.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// As the service chooses.
    public static let auto = Detail(rawValue: "auto")
    /// Coarsely, for fewer tokens.
    public static let low = Detail(rawValue: "low")
    /// Closely.
    public static let high = Detail(rawValue: "high")
    /// At the image's own size.
    public static let original = Detail(rawValue: "original")
}

extension PipevideoError {
    /// What sort of error it is; the same list, with the same names, in every language.
    public struct Kind: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
        /// The name that every language uses, such as `rate_limited`.
        public let rawValue: String

        /// A kind by its name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The name that every language uses.
        public var description: String { rawValue }

        /// No key, a bad base URL, a bad option.
        public static let configuration = Kind(rawValue: "configuration")
        /// Refused before sending: no text part, an empty model, a file that is no image.
        public static let invalidRequest = Kind(rawValue: "invalid_request")
        /// 400: the service refused the request.
        public static let badRequest = Kind(rawValue: "bad_request")
        /// 400 that says that the balance is too low.
        public static let insufficientCredits = Kind(rawValue: "insufficient_credits")
        /// 401: the key is missing, invalid, expired or revoked; or, after a create that `generate` has
        /// made, the token function has thrown.
        public static let authentication = Kind(rawValue: "authentication")
        /// 403: the key may not do this.
        public static let permissionDenied = Kind(rawValue: "permission_denied")
        /// 404: there is no such generation in the key's organization.
        public static let notFound = Kind(rawValue: "not_found")
        /// 429 after all patience.
        public static let rateLimited = Kind(rawValue: "rate_limited")
        /// 5xx on a call that changes nothing, retries spent.
        public static let server = Kind(rawValue: "server")
        /// Any other status.
        public static let apiStatus = Kind(rawValue: "api_status")
        /// No connection, or a broken one, on a call that changes nothing; or a create of which
        /// certainly nothing was sent.
        public static let connection = Kind(rawValue: "connection")
        /// The request timeout, likewise.
        public static let timeout = Kind(rawValue: "timeout")
        /// An answer that is not what the API says.
        public static let decode = Kind(rawValue: "decode")
        /// A create that may have arrived and whose answer is lost or a 5xx. It is never sent again.
        public static let submissionUncertain = Kind(rawValue: "submission_uncertain")
        /// The generation ended failed.
        public static let generationFailed = Kind(rawValue: "generation_failed")
        /// The deadline of a wait.
        public static let waitTimeout = Kind(rawValue: "wait_timeout")
        /// The file could not be had; what arrived stays for the next try.
        public static let download = Kind(rawValue: "download")
        /// A webhook that is not genuine, or not readable.
        public static let webhookVerification = Kind(rawValue: "webhook_verification")
        /// A batch's limit; Swift has no batches.
        public static let spendLimit = Kind(rawValue: "spend_limit")
    }

    /// Why a webhook's delivery was refused.
    public struct Reason: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
        /// The name that every language uses, such as `no_match`.
        public let rawValue: String

        /// A reason by its name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The name that every language uses.
        public var description: String { rawValue }

        /// The id, the timestamp or the signature is not there.
        public static let missingHeader = Reason(rawValue: "missing_header")
        /// The timestamp is not Unix seconds in digits.
        public static let badTimestamp = Reason(rawValue: "bad_timestamp")
        /// It was signed more than five minutes ago: perhaps somebody sends it again.
        public static let tooOld = Reason(rawValue: "too_old")
        /// It was signed more than five minutes from now: a clock is off.
        public static let tooNew = Reason(rawValue: "too_new")
        /// No secret made any of its signatures.
        public static let noMatch = Reason(rawValue: "no_match")
        /// It is genuine, but its body is not an event; or it is far too large.
        public static let badPayload = Reason(rawValue: "bad_payload")
    }
}

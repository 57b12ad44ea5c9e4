extension PipevideoError {
    /// The kind of an error. The list and the literals are the same in every language.
    public struct Kind: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
        /// The literal, the same in every language, such as `rate_limited`.
        public let rawValue: String

        /// Creates a kind from its literal.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The literal, the same in every language.
        public var description: String { rawValue }

        /// There is no key, or the base URL or another option is invalid.
        public static let configuration = Kind(rawValue: "configuration")
        /// Refused before sending: no text part, an empty model, a file that is not an image.
        public static let invalidRequest = Kind(rawValue: "invalid_request")
        /// 400: the service refused the request.
        public static let badRequest = Kind(rawValue: "bad_request")
        /// 400, because the balance is too low.
        public static let insufficientCredits = Kind(rawValue: "insufficient_credits")
        /// 401: the key is missing, invalid, expired or revoked. Also: the token function threw an
        /// error after `generate` had created a generation.
        public static let authentication = Kind(rawValue: "authentication")
        /// 403: the key does not have this permission.
        public static let permissionDenied = Kind(rawValue: "permission_denied")
        /// 404: the key's organization has no such generation.
        public static let notFound = Kind(rawValue: "not_found")
        /// 429 Too Many Requests, and the retries are used up.
        public static let rateLimited = Kind(rawValue: "rate_limited")
        /// 5xx on a call that changes nothing, and the retries are used up.
        public static let server = Kind(rawValue: "server")
        /// Any other status.
        public static let apiStatus = Kind(rawValue: "api_status")
        /// The connection failed or broke on a call that changes nothing, or before a create was sent.
        public static let connection = Kind(rawValue: "connection")
        /// The request timeout was reached on a call that changes nothing, or before a create was
        /// sent.
        public static let timeout = Kind(rawValue: "timeout")
        /// The response is not what the API documents.
        public static let decode = Kind(rawValue: "decode")
        /// The service may have processed the create: the response was lost or was a 5xx. The create
        /// is never sent again.
        public static let submissionUncertain = Kind(rawValue: "submission_uncertain")
        /// The generation failed.
        public static let generationFailed = Kind(rawValue: "generation_failed")
        /// The wait reached its deadline. The generation continues.
        public static let waitTimeout = Kind(rawValue: "wait_timeout")
        /// The download failed. The bytes received so far are kept, and the next attempt resumes from
        /// them.
        public static let download = Kind(rawValue: "download")
        /// The signature of a webhook delivery is not valid, or its body is not readable.
        public static let webhookVerification = Kind(rawValue: "webhook_verification")
        /// The spend limit of a batch. Swift has no batches.
        public static let spendLimit = Kind(rawValue: "spend_limit")
    }
}

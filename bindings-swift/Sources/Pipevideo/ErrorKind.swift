// Generated from conformance/surface.json by `cargo xtask generate`; do not edit.

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

        /// An option is missing or wrong: no key, a bad base URL, a bad value.
        public static let configuration = Kind(rawValue: "configuration")
        /// The call was rejected before sending: no text part, an empty model, a file that is not
        /// an image.
        public static let invalidRequest = Kind(rawValue: "invalid_request")
        /// 400 Bad Request: the service rejected the request.
        public static let badRequest = Kind(rawValue: "bad_request")
        /// 400 Bad Request, because the balance is too low.
        public static let insufficientCredits = Kind(rawValue: "insufficient_credits")
        /// 401 Unauthorized: the key is missing, invalid, expired or revoked; or the token function
        /// failed, and its error is the cause.
        public static let authentication = Kind(rawValue: "authentication")
        /// 403 Forbidden: the key does not permit this call.
        public static let permissionDenied = Kind(rawValue: "permission_denied")
        /// 404 Not Found: the key's organization has no such generation.
        public static let notFound = Kind(rawValue: "not_found")
        /// 429 Too Many Requests, and the retries are used up, or the service asks for a pause of
        /// more than two minutes.
        public static let rateLimited = Kind(rawValue: "rate_limited")
        /// 5xx on a call that changes nothing, and the retries are used up.
        public static let server = Kind(rawValue: "server")
        /// The service responded with another error status.
        public static let apiStatus = Kind(rawValue: "api_status")
        /// The connection failed or broke, or the client was closed, on a call that changes
        /// nothing, or on a create that was certainly not sent.
        public static let connection = Kind(rawValue: "connection")
        /// The request timeout elapsed on a call that changes nothing, or on a create that was
        /// certainly not sent.
        public static let timeout = Kind(rawValue: "timeout")
        /// The response is not what the API documents.
        public static let decode = Kind(rawValue: "decode")
        /// A create may have been processed: its response was lost, unreadable, a 5xx or a redirect
        /// by 301 to 303. It is never sent again: call `candidates(for:)` before you create
        /// another.
        public static let submissionUncertain = Kind(rawValue: "submission_uncertain")
        /// The generation ended as `failed`.
        public static let generationFailed = Kind(rawValue: "generation_failed")
        /// The deadline of a wait elapsed. The generation is still running: call `wait(for:)` with
        /// its id again.
        public static let waitTimeout = Kind(rawValue: "wait_timeout")
        /// The download failed. If it was to a path, the bytes received so far are kept, and the
        /// next attempt resumes from them.
        public static let download = Kind(rawValue: "download")
        /// A webhook delivery is not authentic, or not readable.
        public static let webhookVerification = Kind(rawValue: "webhook_verification")
        /// A create would exceed the spend limit of its client or batch. Nothing was sent.
        public static let spendLimit = Kind(rawValue: "spend_limit")
        /// A mistake of this library, which panicked. Whether a request was sent is not known. The
        /// message says where the mistake is: report it to the maintainers.
        public static let `internal` = Kind(rawValue: "internal")
    }
}

import Foundation
internal import PipevideoFFI

/// Verifies webhook deliveries with a client's secrets, and wakes the client's waits.
public struct Webhooks: Sendable {
    let core: NativeClient

    /// Verifies a delivery with the client's secrets, decodes its event, and makes the waits for its
    /// generation poll at once.
    ///
    /// An event does not end a wait by itself: the wait ends by what the poll then returns. Respond to
    /// the delivery with 400 if this throws an error of kind `webhook_verification`. Otherwise handle
    /// the event, acknowledge it, and respond with a 2xx status within 15 seconds:
    ///
    /// ```swift
    /// let event = try client.webhooks.unwrap(body, headers: headers)
    /// // If this throws, the service delivers the event again, and that is no duplicate.
    /// if !event.isDuplicate { try save(event) }
    /// try event.acknowledge()
    /// ```
    ///
    /// - Parameters:
    ///   - body: The raw bytes of the body: `Data`, `[UInt8]`, or a view of a `ByteBuffer`. A body
    ///     that was parsed and encoded again does not verify.
    ///   - headers: The request's headers. Upper and lower case do not matter.
    /// - Throws: ``PipevideoError`` of kind `webhook_verification` with a
    ///   ``PipevideoError/reason-swift.property``, or of kind `configuration` if the client has no
    ///   secrets.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: [String: String]
    ) throws -> WebhookEvent {
        try unwrap(body, headers.map { Header(name: $0.key, value: $0.value) })
    }

    /// Verifies a delivery, with its headers as pairs of names and values.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: some Sequence<(String, String)>
    ) throws -> WebhookEvent {
        try unwrap(body, headers.map { Header(name: $0, value: $1) })
    }

    /// Verifies a delivery, with headers such as NIO's `HTTPHeaders`.
    @_disfavoredOverload
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: some Sequence<(name: String, value: String)>
    ) throws -> WebhookEvent {
        try unwrap(body, headers.map { Header(name: $0.name, value: $0.value) })
    }

    private func unwrap(_ body: some Sequence<UInt8>, _ headers: [Header]) throws -> WebhookEvent {
        try callCore {
            WebhookEvent(try core.unwrapWebhook(body: Data(body), headers: headers))
        }
    }

    /// Makes the waits for a generation poll at once, because another process has verified an event
    /// about it.
    ///
    /// If the process that receives webhooks is not the one that waits, let it publish
    /// ``WebhookEvent/generationID``, and call this in every process that waits. The id needs no
    /// verification: the wait ends only by what the service responds to the poll.
    public func wake(generationID: String) {
        core.wake(generationId: generationID)
    }
}

/// Verifies webhook deliveries without a client.
///
/// Pass every secret that may be in use: after a rotation, the old secret still signs for a day. Make
/// one and keep it: it recognizes repeated deliveries by the events that were acknowledged.
///
/// ```swift
/// let webhook = try Webhook(secrets: ["whsec_…"])
/// let event = try webhook.unwrap(body, headers: headers)
/// ```
public struct Webhook: Sendable {
    private let verifier: WebhookVerifier

    /// Creates a verifier that accepts signatures of any of these secrets, each `whsec_…`.
    ///
    /// - Throws: ``PipevideoError`` of kind `configuration` if there is no secret, or one is empty or
    ///   not base64.
    public init(secrets: [String]) throws {
        verifier = try callCore { try WebhookVerifier(secrets: secrets) }
    }

    /// Verifies a delivery and decodes its event.
    ///
    /// - Parameters:
    ///   - body: The raw bytes of the body.
    ///   - headers: The request's headers. Upper and lower case do not matter.
    ///   - now: The time of the verification; `nil` means the current time.
    /// - Throws: ``PipevideoError`` of kind `webhook_verification` with a
    ///   ``PipevideoError/reason-swift.property``.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: [String: String], now: Date? = nil
    ) throws -> WebhookEvent {
        try unwrap(body, headers.map { Header(name: $0.key, value: $0.value) }, now)
    }

    /// Verifies a delivery, with its headers as pairs of names and values.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: some Sequence<(String, String)>, now: Date? = nil
    ) throws -> WebhookEvent {
        try unwrap(body, headers.map { Header(name: $0, value: $1) }, now)
    }

    /// Verifies a delivery, with headers such as NIO's `HTTPHeaders`.
    @_disfavoredOverload
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: some Sequence<(name: String, value: String)>,
        now: Date? = nil
    ) throws -> WebhookEvent {
        try unwrap(body, headers.map { Header(name: $0.name, value: $0.value) }, now)
    }

    private func unwrap(
        _ body: some Sequence<UInt8>, _ headers: [Header], _ now: Date?
    ) throws -> WebhookEvent {
        try callCore {
            WebhookEvent(try verifier.unwrap(body: Data(body), headers: headers, now: now?.inRange))
        }
    }

    /// Signs a body as the service does, for tests.
    ///
    /// With several secrets, the signature header has one signature of each, as after a rotation.
    ///
    /// - Parameters:
    ///   - body: The raw bytes.
    ///   - id: The delivery's id.
    ///   - timestamp: The time of the signature.
    /// - Returns: The three headers, with names in lower case.
    public func sign(
        _ body: some Sequence<UInt8>, id: String = "msg_test", timestamp: Date = Date()
    ) -> [String: String] {
        let signed = verifier.sign(body: Data(body), id: id, timestamp: timestamp.inRange)
        return Dictionary(uniqueKeysWithValues: signed.map { ($0.name, $0.value) })
    }
}

/// The event of a verified delivery: a generation has ended.
///
/// Deliveries may arrive several times and in any order; the ``id`` tells them apart. ``acknowledge()``
/// an event when it has been handled. An event of an unknown type is returned too.
public struct WebhookEvent: Hashable, Sendable, Codable, Identifiable {
    /// The delivery's id, the same for each attempt to deliver it.
    public let id: String
    /// When the delivery was signed.
    public let timestamp: Date
    /// The type of the event: `video.generation.completed`, for both outcomes.
    public let type: String
    /// The id of the generation.
    public let generationID: String?
    /// How the generation ended, according to the delivery.
    public let status: Status?
    /// The address of the video, if the generation has completed. Treat it as a secret.
    public let outputVideoURL: URL?
    /// Why the generation failed, if it did. The text may quote the prompt.
    public let errorMessage: String?
    /// Whether an earlier delivery of the event was acknowledged before this one was verified. A
    /// duplicate wakes no waits.
    public let isDuplicate: Bool
    /// All fields that have no property here, or that had an unexpected type.
    public let extra: [String: JSONValue]
    private var record = AcknowledgementRecord()

    /// Creates an event, for tests. It cannot be acknowledged.
    public init(
        id: String, timestamp: Date = Date(), type: String = "video.generation.completed",
        generationID: String? = nil, status: Status? = nil, outputVideoURL: URL? = nil,
        errorMessage: String? = nil, isDuplicate: Bool = false, extra: [String: JSONValue] = [:]
    ) {
        self.id = id
        self.timestamp = timestamp
        self.type = type
        self.generationID = generationID
        self.status = status
        self.outputVideoURL = outputVideoURL
        self.errorMessage = errorMessage
        self.isDuplicate = isDuplicate
        self.extra = extra
    }

    init(_ core: PipevideoFFI.WebhookEvent, isDuplicate: Bool? = nil) {
        id = core.id
        timestamp = core.timestamp
        type = core.eventType
        generationID = core.generationId
        status = core.status.map(Status.init)
        outputVideoURL = core.outputVideoUrl.flatMap(URL.init(exact:))
        errorMessage = core.errorMessage
        self.isDuplicate = isDuplicate ?? core.duplicate
        extra = JSONValue.members(core.extra)
        record = AcknowledgementRecord(acknowledged: core.acknowledged)
    }

    /// Decodes the body of a delivery, or what ``encode(to:)`` has written.
    ///
    /// A body has no ``id`` and no ``timestamp``, which are in the headers: they are then empty and
    /// 1970. Decoding verifies nothing.
    public init(from decoder: any Decoder) throws {
        self = try decoder.decodeMembers("webhook's event") { json in
            guard case .object(var body) = json else { return nil }
            let own = body.removeValue(forKey: Self.ownMembers) ?? [:]
            let timestamp = own["timestamp"]?.decimal.map {
                Date(timeIntervalSince1970: NSDecimalNumber(decimal: $0).doubleValue)
            }
            let core = webhookEventFromJson(
                json: JSONValue.object(body).text, id: own["id"]?.stringValue ?? "",
                timestamp: (timestamp ?? Date(timeIntervalSince1970: 0)).inRange)
            return core.map { WebhookEvent($0, isDuplicate: own["duplicate"]?.bool ?? false) }
        }
    }

    /// Encodes the body of a delivery, with what is not in a body in the member `_delivery`.
    public func encode(to encoder: any Encoder) throws {
        let body: [String: JSONValue] = [
            "eventType": .string(type), "generationId": JSONValue(generationID),
            "status": JSONValue(status?.rawValue),
            "outputUrl": JSONValue(outputVideoURL?.absoluteString),
            "errorMessage": JSONValue(errorMessage),
            Self.ownMembers: [
                "id": .string(id), "duplicate": .bool(isDuplicate),
                "timestamp": JSONValue(floatLiteral: timestamp.timeIntervalSince1970),
            ],
        ]
        try JSONValue.object(body.merging(extra) { known, _ in known }).encode(to: encoder)
    }

    private static let ownMembers = "_delivery"

    /// Records that the event has been handled: later deliveries of it are duplicates.
    ///
    /// Call it when the handler has succeeded, and not before: the service repeats a delivery if its
    /// handler fails, and the repeated one is to be handled. It may be called more than once. Clients
    /// with one key share the record, which holds the last 10,000 events of this process.
    ///
    /// - Throws: ``PipevideoError`` of kind `invalid_request` if the event was decoded, and so has no
    ///   record. Acknowledge the event that was verified.
    public func acknowledge() throws {
        guard let acknowledged = record.acknowledged else {
            throw PipevideoError(
                .invalidRequest,
                "this event cannot be acknowledged, because it was decoded: whether an event is "
                    + "handled is recorded where it was received.",
                recoverySuggestion: "Acknowledge the event that unwrap returned."
            )
        }
        acknowledged.insert(id: id)
    }
}

/// Where an event is acknowledged, which makes no difference to its value.
private struct AcknowledgementRecord: Hashable {
    var acknowledged: Acknowledged?

    static func == (_: Self, _: Self) -> Bool { true }

    func hash(into _: inout Hasher) {}
}

// Left out: the signed URL, and what may quote the prompt.
extension WebhookEvent: CustomReflectable {
    /// The properties that are safe to print. ``outputVideoURL`` and ``errorMessage`` show as `hidden`.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "id": id, "timestamp": timestamp, "type": type, "generationID": generationID,
                "status": status, "outputVideoURL": outputVideoURL.map { _ in Hidden() },
                "errorMessage": errorMessage.map { _ in Hidden() }, "isDuplicate": isDuplicate,
            ]
        )
    }
}

import Foundation
internal import PipevideoFFI

/// Webhooks: verify a delivery, and wake the waits of its generation.
public struct Webhooks: Sendable {
    let core: Core

    /// Verifies a delivery with the client's secrets, reads its event, and has the service asked at
    /// once by the waits of its generation.
    ///
    /// An event never ends a wait by itself: what the service then says decides. Answer the delivery
    /// with 2xx at once, and with 400 if this throws.
    ///
    /// - Parameters:
    ///   - body: The raw bytes of the body, as they came: `Data`, `[UInt8]`, a view of a `ByteBuffer`.
    ///     One that was parsed and written again does not verify.
    ///   - headers: The request's headers; case does not matter.
    /// - Throws: ``PipevideoError`` of the kind `webhook_verification` with its
    ///   ``PipevideoError/reason-swift.property``, or `configuration` if the client has no secrets.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: [String: String]
    ) throws -> WebhookEvent {
        try unwrap(body, headers: headers.map { ($0.key, $0.value) })
    }

    /// The same, with headers as pairs of names and values.
    ///
    /// Where a framework's headers have labels, `headers.map { ($0.name, $0.value) }`.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: some Sequence<(String, String)>
    ) throws -> WebhookEvent {
        let headers = headers.map(Header.init(name:value:))
        return try callAtOnce {
            WebhookEvent(try core.unwrapWebhook(body: Data(body), headers: headers))
        }
    }

    /// Tells that an event about this generation was verified in another process: its poll is due at
    /// once.
    ///
    /// Where the process that receives webhooks is not the one that waits, it publishes
    /// ``WebhookEvent/generationID``, and each process that waits hands it on to here. Nothing has to
    /// be trusted for that: the service is asked, and what it says decides.
    public func wake(_ generationID: String) {
        core.wake(generationId: generationID)
    }
}

/// Verifies deliveries without a client.
///
/// Give it every secret that may be in use: after a rotation the old one signs for another day.
///
/// ```swift
/// let webhook = try Webhook(secrets: ["whsec_…"])
/// let event = try webhook.unwrap(body, headers: headers)
/// ```
public struct Webhook: Sendable {
    private let verifier: Verifier

    /// Verifies with any of these secrets, each `whsec_…`.
    ///
    /// - Throws: ``PipevideoError`` of the kind `configuration` if there is none, or one is empty or
    ///   not base64.
    public init(secrets: [String]) throws {
        verifier = try callAtOnce { try Verifier(secrets: secrets) }
    }

    /// Verifies a delivery, and reads its event.
    ///
    /// - Parameters:
    ///   - body: The raw bytes of the body, as they came.
    ///   - headers: The request's headers; case does not matter.
    ///   - now: The time at which it is verified; by default the present.
    /// - Throws: ``PipevideoError`` of the kind `webhook_verification` with its
    ///   ``PipevideoError/reason-swift.property``.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: [String: String], now: Date? = nil
    ) throws -> WebhookEvent {
        try unwrap(body, headers: headers.map { ($0.key, $0.value) }, now: now)
    }

    /// The same, with headers as pairs of names and values.
    public func unwrap(
        _ body: some Sequence<UInt8>, headers: some Sequence<(String, String)>, now: Date? = nil
    ) throws -> WebhookEvent {
        let headers = headers.map(Header.init(name:value:))
        return try callAtOnce {
            WebhookEvent(try verifier.unwrap(body: Data(body), headers: headers, now: now))
        }
    }

    /// Signs a body as the service would, for tests: the three headers, names in lower case.
    ///
    /// With several secrets each signs, as after a rotation.
    ///
    /// - Parameters:
    ///   - body: The raw bytes.
    ///   - id: The delivery's id.
    ///   - timestamp: When it is signed.
    public func sign(
        _ body: some Sequence<UInt8>, id: String = "msg_test", timestamp: Date = Date()
    ) -> [String: String] {
        let signed = verifier.sign(body: Data(body), id: id, timestamp: timestamp)
        return Dictionary(uniqueKeysWithValues: signed.map { ($0.name, $0.value) })
    }
}

/// What a genuine delivery says: that a generation has ended.
///
/// An event of a type that this library does not know is an event all the same. Deliveries come more
/// than once and in any order: tell them apart by ``id``.
public struct WebhookEvent: Hashable, Sendable, Codable, Identifiable {
    /// The delivery's id, the same each time that it is tried.
    public let id: String
    /// When it was signed.
    public let timestamp: Date
    /// What happened: `video.generation.completed`, for both outcomes.
    public let type: String
    /// The generation that it is about.
    public let generationID: String?
    /// How it ended, as the delivery claims.
    public let status: Status?
    /// Where the video is, if it completed. Treat it as a secret.
    public let outputVideoURL: URL?
    /// Why it failed, if it did. It may quote the prompt.
    public let errorMessage: String?
    /// Whether the client has had this delivery before; it changed nothing this time. Always false
    /// where a delivery is verified without a client.
    public let duplicate: Bool
    /// Every field that this library does not know, or could not read.
    public let extra: [String: JSONValue]

    init(_ core: PipevideoFFI.WebhookEvent) {
        id = core.id
        timestamp = core.timestamp
        type = core.eventType
        generationID = core.generationId
        status = core.status.map(Status.init)
        outputVideoURL = core.outputVideoUrl.flatMap(URL.init(given:))
        errorMessage = core.errorMessage
        duplicate = core.duplicate
        extra = JSONValue.members(core.extra)
    }
}

// The URL is signed: who has it has the video. What else the service has written may quote the prompt.
extension WebhookEvent: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The useful things in one line, without the signed URL and the message.
    public var description: String { shown("WebhookEvent", parts) }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// What `dump` shows: no more than ``description``.
    public var customMirror: Mirror { Mirror(self, children: parts) }

    private var parts: [(label: String?, value: Any)] {
        var parts: [(label: String?, value: Any)] = [("id", id), ("type", type)]
        if let generationID { parts.append(("generationID", generationID)) }
        if let status { parts.append(("status", status.rawValue)) }
        if duplicate { parts.append(("duplicate", true)) }
        return parts
    }
}

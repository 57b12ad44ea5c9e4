import Foundation
import Pipevideo

/// A webhook receiver as a function from a request to a status. It fits any server framework and any
/// serverless platform.
///
/// With Vapor, for example, a route collects the body and passes on both:
///
/// ```swift
/// app.on(.POST, "webhooks", body: .collect(maxSize: "1mb")) { request in
///     let body = request.body.data.map { Data($0.readableBytesView) } ?? Data()
///     let headers = request.headers.map { ($0.name, $0.value) }
///     return HTTPStatus(statusCode: try webhooks.handle(body: body, headers: headers))
/// }
/// ```
public struct WebhookFunction: Sendable {
    private let client: PipevideoClient
    private let onEvent: @Sendable (WebhookEvent) throws -> Void

    /// Creates a receiver for a client that has webhook secrets. It passes each event to `onEvent`, and
    /// again if that throws. Do not do slow work there: the service waits 15 s for the response.
    public init(
        client: PipevideoClient, onEvent: @escaping @Sendable (WebhookEvent) throws -> Void
    ) {
        self.client = client
        self.onEvent = onEvent
    }

    /// Returns the status to respond with: 204, or 400 if the delivery is not valid.
    ///
    /// The body must be the raw bytes of the request, not parsed and encoded again. Throws if `onEvent`
    /// does, or if the client has no webhook secret. Respond with 500 then: the service delivers the
    /// event again, and that is no duplicate.
    public func handle(body: Data, headers: some Sequence<(String, String)>) throws -> Int {
        let event: WebhookEvent
        do {
            // This also wakes the waits for the generation.
            event = try client.webhooks.unwrap(body, headers: headers)
        } catch let error as PipevideoError where error.kind == .webhookVerification {
            return 400
        }
        if !event.isDuplicate { try onEvent(event) }
        try event.acknowledge()
        return 204
    }
}

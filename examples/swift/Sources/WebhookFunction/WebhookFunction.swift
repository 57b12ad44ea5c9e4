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
    private let onEvent: @Sendable (WebhookEvent) -> Void

    /// Creates a receiver for a client that has webhook secrets. It passes each event to `onEvent`
    /// once.
    public init(client: PipevideoClient, onEvent: @escaping @Sendable (WebhookEvent) -> Void) {
        self.client = client
        self.onEvent = onEvent
    }

    /// Returns the status to respond with: 204, or 400 if the delivery is not valid.
    ///
    /// The body must be the raw bytes of the request, not parsed and encoded again. Throws if the
    /// client has no webhook secret, which is a mistake of the server and not of the delivery.
    public func handle(body: Data, headers: some Sequence<(String, String)>) throws -> Int {
        do {
            // This also wakes the waits for the generation. Do not do slow work here: the service
            // waits for the response, and delivers again if there is none.
            let event = try client.webhooks.unwrap(body, headers: headers)
            if !event.isDuplicate { onEvent(event) }
            return 204
        } catch let error as PipevideoError where error.kind == .webhookVerification {
            return 400
        }
    }
}

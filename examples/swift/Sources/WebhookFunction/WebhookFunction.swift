import Foundation
import Pipevideo

/// A receiver of webhooks, as a function from a request to a status: for any server, and for
/// functions that the cloud runs.
///
/// With Vapor, say, a route collects the body and hands both over:
///
/// ```swift
/// app.on(.POST, "webhooks", body: .collect(maxSize: "1mb")) { request in
///     let body = request.body.data.map { Data($0.readableBytesView) } ?? Data()
///     let headers = request.headers.map { ($0.name, $0.value) }
///     return HTTPStatus(statusCode: try webhooks.handle(body: body, headers: headers))
/// }
/// ```
public struct WebhookFunction: Sendable {
    private let client: Pipevideo
    private let finished: @Sendable (WebhookEvent) -> Void

    /// A receiver for the client whose waits rest on webhooks. It hands over each event once.
    public init(client: Pipevideo, finished: @escaping @Sendable (WebhookEvent) -> Void) {
        self.client = client
        self.finished = finished
    }

    /// The status to answer a delivery with: 204, or 400 if it is not genuine.
    ///
    /// The body has to be the raw bytes, as they came: not decoded, and not written again. Throws if
    /// the client has no webhook secret: that is the server's own mistake, not the delivery's.
    public func handle(body: Data, headers: some Sequence<(String, String)>) throws -> Int {
        do {
            // This wakes the waits, too. What takes longer belongs elsewhere: the service waits for
            // the answer, and delivers again where there is none.
            let event = try client.webhooks.unwrap(body, headers: headers)
            if !event.duplicate { finished(event) }
            return 204
        } catch let error as PipevideoError where error.kind == .webhookVerification {
            return 400
        }
    }
}

import Foundation
internal import PipevideoFFI

/// A response of the API as it was received.
///
/// ```swift
/// let response = try await client.get("/v1/models?limit=10")
/// print(response.json ?? .null, response.requestID ?? "")
/// ```
public struct APIResponse: Sendable {
    private let core: PipevideoFFI.Response

    init(_ core: PipevideoFFI.Response) {
        self.core = core
    }

    /// Creates a response, for tests.
    public init(
        status: Int, headers: [String: String] = [:], requestID: String? = nil, body: Data = Data()
    ) {
        core = PipevideoFFI.Response(
            status: UInt16(clamping: status), headers: headers, requestId: requestID, body: body)
    }

    /// The HTTP status, from 200 to 299: any other is an error.
    public var status: Int { Int(core.status()) }

    /// The headers, with lower-case names. Those that were sent several times are joined by commas.
    public var headers: [String: String] { core.headers() }

    /// The service's id of the HTTP request, for its support.
    public var requestID: String? { core.requestId() }

    /// The body. It may have a signed URL, or quote the prompt.
    public var body: Data { core.body() }

    /// The body as JSON; `nil` if it is none.
    public var json: JSONValue? { try? JSONDecoder().decode(JSONValue.self, from: body) }
}

// Left out: headers and body, which may have secrets.
extension APIResponse: CustomReflectable {
    /// The status and the id of the request.
    public var customMirror: Mirror {
        Mirror(self, showing: ["status": status, "requestID": requestID])
    }
}

extension PipevideoClient {
    /// Gets a path of the API for which this library has no call, with the client's key, rate limit,
    /// retries and errors.
    ///
    /// - Parameters:
    ///   - path: The path on the base URL, such as `/v1/models?limit=10`. The key is not sent anywhere
    ///     else.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func get(
        _ path: String, options: CallOptions = CallOptions()
    ) async throws -> APIResponse {
        try await callCore { cancel in
            APIResponse(try await core.get(path: path, options: options.core, cancel: cancel))
        }
    }

    /// Posts JSON to a path of the API for which this library has no call.
    ///
    /// It is sent again only if the service certainly did not process it. It does not count towards the
    /// spend limit: ``Responses/create(_:options:)`` creates generations.
    ///
    /// - Parameters:
    ///   - path: The path on the base URL, such as `/v1/collections`.
    ///   - body: The body.
    ///   - options: The options of this call, in place of the client's.
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
    public func post(
        _ path: String, body: JSONValue = .null, options: CallOptions = CallOptions()
    ) async throws -> APIResponse {
        try await callCore { cancel in
            APIResponse(
                try await core.post(
                    path: path, body: body.text, options: options.core, cancel: cancel))
        }
    }
}

import Foundation
internal import PipevideoFFI

/// The options of one call, in place of the client's.
///
/// ```swift
/// let hasty = CallOptions(requestTimeout: .seconds(3), maxRetries: 0)
/// let usage = try await client.usage.retrieve(options: hasty)
/// ```
///
/// A call with an option that a configuration would not take throws a ``PipevideoError`` of kind
/// `configuration`, and sends nothing.
public struct CallOptions: Hashable, Sendable {
    /// The timeout of each HTTP request; `nil` means
    /// ``PipevideoClient/Configuration/requestTimeout``.
    public var requestTimeout: Duration?
    /// The number of retries where they are safe; `nil` means
    /// ``PipevideoClient/Configuration/maxRetries``. A create that may have been processed is never sent
    /// again, and a wait polls until its deadline.
    public var maxRetries: Int?
    /// Headers that go with the call's requests to the API, beside
    /// ``PipevideoClient/Configuration/headers``. One of the same name replaces the client's. Waits of one
    /// generation share their polls, which have the headers of the wait that began first.
    public var headers: [String: String]

    /// Creates options. Those that are left out are the client's.
    public init(
        requestTimeout: Duration? = nil, maxRetries: Int? = nil, headers: [String: String] = [:]
    ) {
        self.requestTimeout = requestTimeout
        self.maxRetries = maxRetries
        self.headers = headers
    }

    var core: PipevideoFFI.CallOptions {
        PipevideoFFI.CallOptions(
            requestTimeout: requestTimeout?.inSeconds, maxRetries: maxRetries.map(Int64.init),
            headers: headers
        )
    }
}

// Left out: the headers, which may have secrets.
extension CallOptions: CustomReflectable {
    /// The options, without the headers' values.
    public var customMirror: Mirror {
        Mirror(
            self,
            showing: [
                "requestTimeout": requestTimeout, "maxRetries": maxRetries,
                "headers": headers.isEmpty ? nil : Hidden(),
            ]
        )
    }
}

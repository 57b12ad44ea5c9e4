internal import PipevideoFFI

/// Runs an app's token function each time that the core needs a token.
final class TokenFunction: TokenSource {
    private let function: @Sendable () async throws -> String

    init(_ function: @escaping @Sendable () async throws -> String) {
        self.function = function
    }

    func call(reply: TokenReply) -> any TokenCall {
        TokenTask(
            Task { [function] in
                do {
                    reply.succeed(token: try await function())
                } catch {
                    reply.fail(error: ThrownError(error))
                }
            }
        )
    }
}

/// The task that runs a token function. The core cancels it when the call is over.
final class TokenTask: TokenCall {
    private let task: Task<Void, Never>

    init(_ task: Task<Void, Never>) {
        self.task = task
    }

    func cancel() { task.cancel() }
}

/// An error that a token function has thrown. It passes through the core and back unchanged.
final class ThrownError: Thrown {
    let error: any Error

    init(_ error: any Error) {
        self.error = error
    }

    func name() -> String { String(describing: type(of: error)) }
}

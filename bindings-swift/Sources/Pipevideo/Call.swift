internal import PipevideoFFI

/// Makes one asynchronous call of the core. Cancelling the task drops the call's request at once.
///
/// - Parameter creates: Whether the call creates a generation and then goes on with it. The errors of
///   such a call keep the generation's id.
func callCore<Value: Sendable>(
    creates: Bool = false,
    _ operation: @Sendable (CancelHandle) async throws -> Value
) async throws -> Value {
    let cancel = CancelHandle()
    do {
        return try await withTaskCancellationHandler {
            try await operation(cancel)
        } onCancel: {
            cancel.cancel()
        }
    } catch let failure as Failure {
        throw failure.thrownError(creates: creates)
    } catch let error where !(error is PipevideoError || error is CancellationError) {
        throw mistake
    }
}

/// Makes one synchronous call of the core.
func callCore<Value>(_ operation: () throws -> Value) throws -> Value {
    do {
        return try operation()
    } catch let failure as Failure {
        throw failure.thrownError()
    } catch let error where !(error is PipevideoError || error is CancellationError) {
        throw mistake
    }
}

/// What UniFFI throws of itself, when a value does not cross the border. Its own error may quote the
/// value.
private var mistake: PipevideoError {
    PipevideoError(
        .internal,
        "a value could not be passed to the native half. This is a mistake of the library, not of "
            + "your program. Report it and what the program did to the maintainers of pipevideo."
    )
}

extension Failure {
    /// The error that the caller receives. An error of the app's token function is passed on as it is,
    /// unless that would lose the id of a generation that the call has created, or the deadline of a
    /// wait that went on without a token.
    fileprivate func thrownError(creates: Bool = false) -> any Error {
        switch self {
        case .Cancelled:
            return CancellationError()
        case .Failed(let details, let thrown):
            let cause = (thrown as? ThrownError)?.error
            let isOwnError = details.kind == "authentication"
            if let cause, isOwnError, !creates || details.generationId == nil { return cause }
            return PipevideoError(details, cause: cause)
        }
    }
}

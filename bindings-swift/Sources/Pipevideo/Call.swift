internal import PipevideoFFI

/// Makes one asynchronous call of the core. Cancelling the task drops the call's request at once, and
/// throws `CancellationError`, or an uncertain create with that as its cause.
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

/// Makes one asynchronous call of the core, and passes what it reports to a function of the app. The
/// function runs on the actor of the caller; no thread waits for it.
func callCore<Value: Sendable, Queue: ReportQueue>(
    creates: Bool = false,
    isolation: isolated (any Actor)? = #isolation,
    reports: Queue,
    to function: (Queue.Report) -> Void,
    _ operation: @escaping @Sendable (CancelHandle, Queue) async throws -> Value
) async throws -> Value {
    async let result = callCore(creates: creates) { cancel in
        defer { reports.close() }
        return try await operation(cancel, reports)
    }
    // It fails only if the native half panics, which the call itself reports then.
    while let report = try? await reports.next() { function(report) }
    return try await result
}

/// What a call reports while it runs, one report after another.
protocol ReportQueue: Sendable {
    associatedtype Report: Sendable

    func next() async throws -> Report?
    /// Has `next` return `nil` after what has been reported.
    func close()
}

extension Updates: ReportQueue {}
extension DownloadReports: ReportQueue {}

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
        case .Cancelled(let uncertain):
            let cancellation = CancellationError()
            return uncertain.map { PipevideoError($0, cause: cancellation) } ?? cancellation
        case .Failed(let details, let thrown):
            let cause = (thrown as? ThrownError)?.error
            let isOwnError = details.kind == "authentication"
            if let cause, isOwnError, !creates || details.generationId == nil { return cause }
            return PipevideoError(details, cause: cause)
        }
    }
}

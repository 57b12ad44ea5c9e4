import Pipevideo
import Testing

/// Returns the error of a call that must fail with a `PipevideoError`.
func failure(
    at location: SourceLocation = #_sourceLocation, of call: () async throws -> Any
) async -> PipevideoError? {
    do {
        Issue.record("it succeeded: \(try await call())", sourceLocation: location)
    } catch let error as PipevideoError {
        return error
    } catch {
        Issue.record(error, sourceLocation: location)
    }
    return nil
}

/// Returns the error of a synchronous call that must fail with a `PipevideoError`.
func failure(
    at location: SourceLocation = #_sourceLocation, of call: () throws -> Any
) -> PipevideoError? {
    do {
        Issue.record("it succeeded: \(try call())", sourceLocation: location)
    } catch let error as PipevideoError {
        return error
    } catch {
        Issue.record(error, sourceLocation: location)
    }
    return nil
}

/// Checks that no way of printing a value shows a signed URL or what may quote the prompt. The tests
/// write `SECRET` into both.
func expectNoSecret(in value: Any, at location: SourceLocation = #_sourceLocation) {
    var dumped = ""
    dump(value, to: &dumped)
    for text in ["\(value)", String(reflecting: value), dumped] {
        #expect(!text.contains("SECRET"), sourceLocation: location)
        #expect(!text.contains("PipevideoFFI"), sourceLocation: location)
    }
}

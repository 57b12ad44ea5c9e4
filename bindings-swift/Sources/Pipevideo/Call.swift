import Foundation
internal import PipevideoFFI

/// Makes one call of the core. Cancelling the task drops the call's request at once.
///
/// A call that makes a generation and goes on with it has an id to lose: its errors keep it.
func call<Value: Sendable>(
    makes: Bool = false,
    _ operation: @Sendable (Cancel) async throws -> Value
) async throws -> Value {
    let cancel = Cancel()
    do {
        return try await withTaskCancellationHandler {
            try await operation(cancel)
        } onCancel: {
            cancel.cancel()
        }
    } catch let failure as Failure {
        throw failure.thrown(makes: makes)
    }
}

/// As ``call(_:)``, for what does not take long enough to be cancelled.
func callAtOnce<Value>(_ operation: () throws -> Value) throws -> Value {
    do {
        return try operation()
    } catch let failure as Failure {
        throw failure.thrown()
    }
}

extension Failure {
    /// What the caller gets. What its token function has thrown it gets as it was thrown, unless the
    /// id of a generation that the call has made would be lost with that.
    func thrown(makes: Bool = false) -> any Error {
        switch self {
        case .Cancelled:
            return CancellationError()
        case .Failed(let details, let thrown):
            let cause = (thrown as? Caught)?.error
            if let cause, !makes || details.generationId == nil { return cause }
            return PipevideoError(details, cause: cause)
        }
    }
}

/// What a token function has thrown, on its way through the core and back.
final class Caught: Thrown {
    let error: any Error

    init(_ error: any Error) {
        self.error = error
    }

    func name() -> String { String(describing: type(of: error)) }
}

/// A value in one line.
func shown(_ type: String, _ parts: [(label: String?, value: Any)]) -> String {
    "\(type)(\(parts.map { "\($0.label ?? ""): \($0.value)" }.joined(separator: ", ")))"
}

extension URL {
    /// A URL as the service wrote it; `nil` for none.
    ///
    /// Told to encode what is invalid, Foundation encodes each `%` again, also those of a signature,
    /// which is not valid any more then. So only what is invalid is encoded.
    init?(given text: String) {
        guard !text.isEmpty else { return nil }
        if let url = Self(valid: text) {
            self = url
            return
        }
        var valid = CharacterSet(charactersIn: "!#$%&'()*+,-./:;=?@_~")
        valid.formUnion(CharacterSet(charactersIn: "a"..."z"))
        valid.formUnion(CharacterSet(charactersIn: "A"..."Z"))
        valid.formUnion(CharacterSet(charactersIn: "0"..."9"))
        let encoded = text.addingPercentEncoding(withAllowedCharacters: valid)
        if let url = encoded.flatMap(Self.init(valid:)) {
            self = url
        } else {
            self.init(string: text)
        }
    }

    private init?(valid text: String) {
        if #available(macOS 14, iOS 17, tvOS 17, watchOS 10, *) {
            self.init(string: text, encodingInvalidCharacters: false)
        } else {
            // It encoded nothing then.
            self.init(string: text)
        }
    }
}

extension Duration {
    /// A time on the wire; one that is no `Int64` is none.
    init?(milliseconds: UInt64) {
        guard let milliseconds = Int64(exactly: milliseconds) else { return nil }
        self = .milliseconds(milliseconds)
    }

    /// The core's unit.
    var inSeconds: Double {
        // Its `components` end the process where the seconds are no `Int64`.
        self / .seconds(1)
    }
}

extension Decimal {
    /// The core writes decimals as plain text.
    init?(exact text: String?) {
        guard let text else { return nil }
        self.init(string: text, locale: Locale(identifier: "en_US_POSIX"))
    }
}

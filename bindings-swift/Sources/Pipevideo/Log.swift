import Foundation
internal import PipevideoFFI

/// How important a record of the log is.
public struct LogLevel: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The literal, the same in every language.
    public let rawValue: String

    /// Creates a value from its literal.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The literal, the same in every language.
    public var description: String { rawValue }

    /// Every request.
    public static let debug = LogLevel(rawValue: "debug")
    /// What a program waits for: creates, waits, retries, webhooks, downloads.
    public static let info = LogLevel(rawValue: "info")
    /// What costs money or may need you, such as a create with an unknown outcome.
    public static let warn = LogLevel(rawValue: "warn")
    /// Nothing: a level of a client and of no record.
    public static let off = LogLevel(rawValue: "off")
}

/// One event of the log. No part of it has a key, a prompt or a signed URL.
public struct LogRecord: Hashable, Sendable, CustomStringConvertible {
    /// How important it is.
    public let level: LogLevel
    /// The name of the event, such as `wait.ended`.
    public let event: String
    /// What happened, the same text for each event of a kind.
    public let message: String
    /// When it happened.
    public let date: Date
    /// The fields that the event has, each a string or a number, such as `generationId` and
    /// `duration`. Times are in seconds.
    public let fields: [String: JSONValue]
    /// The message and the fields on one line.
    public let description: String

    /// The fields as strings, for loggers that take metadata.
    public var metadata: [String: String] { fields.mapValues { $0.stringValue ?? $0.text } }

    /// Creates a record, for tests of what an app does with one.
    public init(
        level: LogLevel, event: String, message: String, date: Date = Date(),
        fields: [String: JSONValue] = [:], description: String? = nil
    ) {
        self.level = level
        self.event = event
        self.message = message
        self.date = date
        self.fields = fields
        self.description = description ?? message
    }

    init(_ core: PipevideoFFI.LogRecord) {
        level = LogLevel(rawValue: core.level)
        event = core.event
        message = core.message
        date = core.time
        let fields = core.fields.map { ($0.name, $0.value) }
        self.fields = Dictionary(fields, uniquingKeysWith: { first, _ in first })
        description = core.line
    }
}

extension LogField {
    fileprivate var value: JSONValue {
        if let text { return .string(text) }
        return number.flatMap { Decimal(exact: "\($0)") }.map(JSONValue.number) ?? .null
    }
}

/// Receives the records of a client's log.
///
/// ```swift
/// var configuration = PipevideoClient.Configuration()
/// configuration.logger = PipevideoLogger { record in print(record.level, record) }
/// ```
///
/// The function is called on a thread for the log, with one record after another; it delays no call,
/// however long it takes. Of more than 10,000 records that wait for it the others are counted and
/// dropped.
public struct PipevideoLogger: Hashable, Sendable {
    private let receiver: Receiver

    /// Creates a logger that calls a function with each record.
    public init(_ receive: @escaping @Sendable (LogRecord) -> Void) {
        receiver = Receiver(receive)
    }

    /// Writes each record as a line to the standard error.
    public static let standardError = PipevideoLogger { record in
        let time = record.date.formatted(
            .iso8601.year().month().day().time(includingFractionalSeconds: true))
        let line = "\(time)Z \(record.level.rawValue.uppercased()) pipevideo: \(record)\n"
        try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
    }

    /// Whether two loggers are the same one.
    public static func == (left: Self, right: Self) -> Bool { left.receiver === right.receiver }

    /// Hashes the identity of the logger.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(receiver))
    }

    var core: any LogReceiver { receiver }

    /// At the end of the process the last records are passed on, once for all clients.
    static let flushesAtExit: Void = {
        atexit { flushLog() }
    }()

    private final class Receiver: LogReceiver {
        private let function: @Sendable (LogRecord) -> Void

        init(_ function: @escaping @Sendable (LogRecord) -> Void) {
            self.function = function
        }

        func receive(record: PipevideoFFI.LogRecord) { function(LogRecord(record)) }
    }
}

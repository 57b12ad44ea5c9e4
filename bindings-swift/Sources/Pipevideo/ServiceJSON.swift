import Foundation

// The service's JSON of values. It passes through `JSONValue`. Its objects are dictionaries: the keys
// of a dictionary are fixed, while a coder's strategy may change those of a `CodingKey` and so lose
// fields.

extension JSONValue {
    init(_ text: String?) { self = text.map(JSONValue.string) ?? .null }

    init(_ number: Int?) { self = number.map { .number(Decimal($0)) } ?? .null }

    init(_ number: Decimal?) { self = number.map(JSONValue.number) ?? .null }

    init(cents dollars: Decimal?) { self.init(dollars?.shifted(by: 2)) }

    init(seconds duration: Duration?) { self.init(duration, unit: .seconds(1)) }

    init(milliseconds duration: Duration?) { self.init(duration, unit: .milliseconds(1)) }

    init(milliseconds date: Date?) {
        // As an integer: a decimal of a floating-point number has its noise.
        self.init(date.flatMap { Int(exactly: ($0.timeIntervalSince1970 * 1000).rounded()) })
    }

    private init(_ duration: Duration?, unit: Duration) {
        // By its text, which is the shortest one; a decimal of the number itself has its noise too.
        self.init(duration.flatMap { Decimal(exact: "\($0 / unit)") })
    }

    /// An exact decimal, as a number or in a string.
    var decimal: Decimal? {
        switch self {
        case .number(let number): number
        case .string(let text): Decimal(exact: text)
        default: nil
        }
    }

    var int: Int? { decimal.flatMap { Int(exactly: NSDecimalNumber(decimal: $0).doubleValue) } }

    /// A number of seconds.
    var duration: Duration? {
        decimal.map { .seconds(NSDecimalNumber(decimal: $0).doubleValue) }
    }

    var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }
}

extension Date {
    /// The nearest date with whole milliseconds, which is what the service writes.
    var roundedToMilliseconds: Date {
        Date(timeIntervalSince1970: (timeIntervalSince1970 * 1000).rounded() / 1000)
    }
}

extension Decimal {
    /// US dollars from an amount in cents.
    init?(cents text: String?) {
        guard let cents = Decimal(exact: text) else { return nil }
        self = cents.shifted(by: -2)
    }

    fileprivate func shifted(by digits: Int) -> Decimal {
        Decimal(sign: .plus, exponent: digits, significand: self)
    }
}

extension Duration {
    /// A decimal number of units that the core wrote as text.
    init?(exact text: String?, unit: (Double) -> Duration) {
        guard let count = text.flatMap(Double.init), count.magnitude < 1e15 else { return nil }
        self = unit(count)
    }
}

extension Decoder {
    /// Decodes an object of which this library itself defines the members.
    func decodeMembers<Value>(_ name: String, _ read: (JSONValue) -> Value?) throws -> Value {
        guard let value = read(try JSONValue(from: self)) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: codingPath, debugDescription: "This is not the JSON of a \(name)."
                )
            )
        }
        return value
    }
}

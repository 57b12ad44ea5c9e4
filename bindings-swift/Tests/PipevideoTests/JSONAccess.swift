import Foundation
import Pipevideo

extension JSONValue {
    var doubleValue: Double? {
        switch self {
        case .number(let number): NSDecimalNumber(decimal: number).doubleValue
        case .double(let number): number
        default: nil
        }
    }

    var intValue: Int? { doubleValue.map(Int.init) }

    var boolValue: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    var members: [String: JSONValue] {
        guard case .object(let members) = self else { return [:] }
        return members
    }

    var elements: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    /// An exact decimal, in a string or as a number.
    var amount: Decimal? {
        switch self {
        case .string(let text): Decimal(string: text)
        case .number(let number): number
        default: nil
        }
    }

    /// A number of seconds.
    var duration: Duration? { doubleValue.map { .seconds($0) } }
}

/// The strings of an array.
func strings(_ list: JSONValue?) -> [String] {
    (list?.elements ?? []).compactMap(\.stringValue)
}

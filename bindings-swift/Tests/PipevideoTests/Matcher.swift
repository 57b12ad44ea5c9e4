import Foundation
import Pipevideo

/// What a call has come to, as the scenarios write it.
enum Shown {
    case value(JSONValue)
    /// An error's fields, and its text as Swift prints it.
    case error(JSONValue, text: String)
}

/// Matches values, and remembers what `$names` are bound to.
struct Matcher {
    private var bound: [String: String] = [:]

    mutating func outcome(_ expected: JSONValue, _ found: Shown) throws {
        if let error = expected["error"] {
            guard case .error(let fields, let text) = found else {
                throw Broken("it succeeded, where an error was expected: \(found)")
            }
            try value(error, fields, "error")
            if case .array(let lacks) = expected["lacks"] {
                for secret in lacks.compactMap(\.stringValue) where text.contains(secret) {
                    throw Broken("\(secret) stands in \(text)")
                }
            }
            return
        }
        guard case .value(let found) = found else { throw Broken("it failed: \(found)") }
        if let expected = expected["value"] ?? expected["updates"] {
            try value(expected, found, "result")
        }
    }

    mutating func requests(_ expected: JSONValue, _ found: [JSONValue], key: String) throws {
        let log = String(decoding: try JSONEncoder().encode(found), as: UTF8.self)
        guard !log.contains(key) else { throw Broken("the log shows the key") }
        let lines = found.map { request in
            ["origin", "method", "path"].map { request[$0]?.stringValue ?? "" }.joined(
                separator: " ")
        }
        if case .object(let counts) = expected["counts"] {
            for (pattern, count) in counts {
                let number = lines.filter { Self.fits(pattern, $0) }.count
                guard count == .number(Decimal(number)) else {
                    throw Broken("\(number) of \(pattern), expected \(count): \(lines)")
                }
            }
            return
        }
        guard case .array(let expected) = expected, expected.count == found.count else {
            throw Broken("these requests came: \(lines)")
        }
        var before = -Double.infinity
        for (index, (expected, found)) in zip(expected, found).enumerated() {
            guard case .object(var expected) = expected else { throw Broken("no request") }
            expected["origin"] = expected["origin"] ?? "api"
            let at = found["at"]?.doubleValue ?? 0
            if let gap = expected.removeValue(forKey: "gap")?.doubleValue, at - before < gap {
                throw Broken(
                    "request \(index) came \(at - before) s after the one before: \(lines)")
            }
            try value(.object(expected), found, "request \(index) of \(lines)")
            before = at
        }
    }

    /// Whether `origin method path` fits `method path`, where `*` stands for any end.
    private static func fits(_ pattern: String, _ line: String) -> Bool {
        let request = line.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
        return pattern.hasSuffix("*") ? request.hasPrefix(pattern.dropLast()) : request == pattern
    }

    mutating func value(_ expected: JSONValue, _ found: JSONValue, _ at: String) throws {
        switch (expected, found) {
        case (.object(let expected), .object(let found)):
            for (name, inner) in expected {
                try value(inner, found[name] ?? .null, "\(at).\(name)")
            }
        case (.array(let expected), .array(let found)) where expected.count == found.count:
            for (index, (inner, found)) in zip(expected, found).enumerated() {
                try value(inner, found, "\(at)[\(index)]")
            }
        default:
            guard scalar(expected, found) else {
                throw Broken("\(at) is \(found), expected \(expected)")
            }
        }
    }

    private mutating func scalar(_ expected: JSONValue, _ found: JSONValue) -> Bool {
        switch (expected, found) {
        case ("<any>", _):
            return found != .null
        case (.string(let name), .string(let text)) where name.hasPrefix("$"):
            if bound[name] == nil { bound[name] = text }
            return bound[name] == text
        case (.string(let text), .number(let number)):
            return Decimal(string: text) == number
        default:
            return expected == found
        }
    }
}

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

    /// A time in seconds.
    var duration: Duration? { doubleValue.map { .seconds($0) } }
}

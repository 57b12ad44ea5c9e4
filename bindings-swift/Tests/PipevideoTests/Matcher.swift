import Foundation
import Pipevideo

/// Compares results with those that a scenario expects, and keeps the values that its `$names` are bound
/// to. conformance/README.md has the rules.
struct Matcher {
    private var bound: [String: String] = [:]

    mutating func outcome(_ expected: JSONValue, _ found: Outcome) throws {
        if let error = expected["error"] {
            guard case .error(let fields, let text) = found else {
                throw TestFailure("it succeeded instead of failing: \(found)")
            }
            try value(error, fields, "error")
            if case .array(let lacks) = expected["lacks"] {
                for secret in lacks.compactMap(\.stringValue) where text.contains(secret) {
                    throw TestFailure("the text contains \(secret): \(text)")
                }
            }
            return
        }
        guard case .value(let found) = found else { throw TestFailure("it failed: \(found)") }
        if let expected = expected["value"] ?? expected["updates"] {
            try value(expected, found, "result")
        }
    }

    mutating func requests(_ expected: JSONValue, _ found: [JSONValue], key: String) throws {
        let log = String(decoding: try JSONEncoder().encode(found), as: UTF8.self)
        guard !log.contains(key) else { throw TestFailure("the emulator's log contains the key") }
        let lines = found.map { request in
            ["origin", "method", "path"].map { request[$0]?.stringValue ?? "" }.joined(
                separator: " ")
        }
        if case .object(let counts) = expected["counts"] {
            for (pattern, count) in counts {
                let number = lines.filter { Self.matches(pattern, $0) }.count
                guard count == .number(Decimal(number)) else {
                    throw TestFailure(
                        "\(number) requests match \(pattern), expected \(count): \(lines)")
                }
            }
            return
        }
        guard case .array(let expected) = expected, expected.count == found.count else {
            throw TestFailure("the requests are \(lines)")
        }
        var before = -Double.infinity
        for (index, (expected, found)) in zip(expected, found).enumerated() {
            guard case .object(var expected) = expected else {
                throw TestFailure("the scenario's request is not an object")
            }
            expected["origin"] = expected["origin"] ?? "api"
            let at = found["at"]?.doubleValue ?? 0
            if let gap = expected.removeValue(forKey: "gap")?.doubleValue, at - before < gap {
                throw TestFailure(
                    "request \(index) arrived \(at - before) s after the one before: \(lines)")
            }
            try value(.object(expected), found, "request \(index) of \(lines)")
            before = at
        }
    }

    /// Whether `origin method path` matches `method path`, in which a final `*` matches any rest.
    private static func matches(_ pattern: String, _ line: String) -> Bool {
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
                throw TestFailure("\(at) is \(found), expected \(expected)")
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

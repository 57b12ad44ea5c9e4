import Foundation
import Testing

@testable import Pipevideo

/// What every language has, Swift has, and what it has is documented.
@Suite struct SurfaceTests {
    static let face = Repository.root.appending(path: "bindings-swift/Sources/Pipevideo")

    static func sources() throws -> [(name: String, lines: [String])] {
        let names = try FileManager.default.contentsOfDirectory(atPath: face.path)
        return try names.filter { $0.hasSuffix(".swift") }.map { name in
            let text = try String(contentsOf: face.appending(path: name), encoding: .utf8)
            return (name, text.components(separatedBy: "\n"))
        }
    }

    /// The names of what is declared in a list.
    private func names(_ list: JSONValue?) -> [String] {
        (list?.elements ?? []).compactMap { $0["name"]?.stringValue }
    }

    @Test func everyKindAndFieldHasItsName() throws {
        let surface = ScenarioTests.surface
        let text = try Self.sources().flatMap(\.lines).joined(separator: "\n")
        for kind in names(surface["error_kinds"]) {
            #expect(text.contains("Kind(rawValue: \"\(kind)\")"), "\(kind)")
        }
        for field in names(surface["error_fields"]) {
            #expect(shown(PipevideoError(.configuration, "")).members[field] != nil, "\(field)")
        }
        for option in names(surface["options"]) {
            let words = option.split(separator: "_").map(String.init)
            let name = words[0] + words.dropFirst().map(\.capitalized).joined()
            let spelled = name.replacingOccurrences(of: "Url", with: "URL")
            #expect(text.contains("        \(spelled): "), "\(spelled)")
        }
        // Each operation is called by a scenario, or by its name excused.
        let used = try Set(
            ScenarioTests.names.map { name in
                try Repository.json("conformance/scenarios/\(name).json")["call"]?["operation"]?
                    .stringValue
            })
        for operation in surface["operations"]?.members.keys ?? [:].keys {
            #expect(
                used.contains(operation) || ScenarioTests.excused[operation] != nil, "\(operation)")
        }
    }

    @Test func everythingPublicIsDocumented() throws {
        var count = 0
        for (name, lines) in try Self.sources() {
            for (index, line) in lines.enumerated() {
                let code = line.trimmingCharacters(in: .whitespaces)
                let isCase =
                    code.hasPrefix("case ") && !code.hasSuffix(":") && name == "JSONValue.swift"
                    && !code.contains(": try")
                // A leading underscore is for the compiler: nobody is shown that.
                guard code.hasPrefix("public ") || isCase, !code.contains("typealias _") else {
                    continue
                }
                count += 1
                let before =
                    lines[..<index].reversed()
                    .map { $0.trimmingCharacters(in: .whitespaces) }
                    .first { !$0.hasPrefix("@") } ?? ""
                #expect(before.hasPrefix("///"), "\(name):\(index + 1): \(code)")
            }
        }
        #expect(count > 150)
    }
}

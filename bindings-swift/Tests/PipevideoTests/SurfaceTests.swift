import Foundation
import Testing

@testable import Pipevideo

/// Compares the package with the surface that all languages share, and checks its documentation.
@Suite struct SurfaceTests {
    static let folder = Repository.root.appending(path: "bindings-swift/Sources/Pipevideo")

    /// The hand-written and generated sources of the public module, line by line.
    static func sources() throws -> [(name: String, lines: [String])] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return try names.filter { $0.hasSuffix(".swift") }.map { name in
            let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            return (name, text.components(separatedBy: "\n"))
        }
    }

    /// The names of the declarations in one of the surface's lists.
    private func names(_ list: String) -> [String] {
        (ScenarioTests.surface[list]?.elements ?? []).compactMap { $0["name"]?.stringValue }
    }

    @Test func everyErrorKindHasAConstant() throws {
        let source = try Self.sources().flatMap(\.lines).joined(separator: "\n")
        for kind in names("error_kinds") {
            #expect(source.contains("Kind(rawValue: \"\(kind)\")"), "\(kind)")
        }
    }

    @Test func everyErrorFieldIsCompared() throws {
        let fields = json(of: PipevideoError(.configuration, "")).members
        for field in names("error_fields") {
            #expect(fields[field] != nil, "\(field)")
        }
    }

    @Test func everyOptionIsAProperty() throws {
        let configuration = try Self.sources().first { $0.name == "Configuration.swift" }
        let lines = try #require(configuration).lines
        for option in names("options")
        where option != "api_key" && ScenarioTests.excuses[option] == nil {
            let words = option.split(separator: "_").map(String.init)
            let name = words[0] + words.dropFirst().map(\.capitalized).joined()
            let property = name.replacingOccurrences(of: "Url", with: "URL")
            #expect(lines.contains { $0.contains("public var \(property): ") }, "\(property)")
        }
    }

    @Test func everyOperationHasAScenario() throws {
        let covered = try Set(
            ScenarioTests.names.map { name in
                try Repository.json("conformance/scenarios/\(name).json")["call"]?["operation"]?
                    .stringValue
            })
        for operation in ScenarioTests.surface["operations"]?.members.keys ?? [:].keys {
            #expect(
                covered.contains(operation) || ScenarioTests.excuses[operation] != nil,
                "\(operation)")
        }
    }

    /// Without one, a test of an app cannot make the value.
    @Test func everyValueHasAPublicInitialiser() throws {
        // What a client has for its calls, and what static members and literals make.
        let others: Set = ["Engines", "Responses", "Usage", "Webhooks", "RateLimit", "Input"]
        var count = 0
        for (name, lines) in try Self.sources() {
            for (index, line) in lines.enumerated() {
                guard let match = line.firstMatch(of: /^public struct (\w+)/),
                    !others.contains(String(match.1))
                else { continue }
                count += 1
                let body = lines[index...].prefix { $0 != "}" }
                #expect(body.contains { $0.contains("public init(") }, "\(name): \(match.1)")
            }
        }
        #expect(count > 30)
    }

    @Test func everyPublicDeclarationIsDocumented() throws {
        var count = 0
        for (name, lines) in try Self.sources() {
            for (index, line) in lines.enumerated() {
                let code = line.trimmingCharacters(in: .whitespaces)
                // JSONValue is the only public enumeration. Its other lines with `case` are patterns.
                let isCase =
                    code.hasPrefix("case ") && !code.hasSuffix(":") && name == "JSONValue.swift"
                    && !code.contains(": try")
                guard code.hasPrefix("public ") || isCase else { continue }
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

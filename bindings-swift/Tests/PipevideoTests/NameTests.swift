import Foundation
import Pipevideo
import Testing

/// Names of this package beside those of an app, and of what it imports.
@Suite struct NameTests {
    /// An app's own types, by names that this package has too.
    private enum Own {
        struct Generation {}
        struct Status {}

        /// It compiles: the client's type, which has the module's name, has all others within.
        static func status(of generation: Pipevideo.Generation) -> Pipevideo.Status {
            generation.status
        }
    }

    private static func types() throws -> [String] {
        let text = try SurfaceTests.sources().flatMap(\.lines)
        return text.compactMap { line in
            let match = line.firstMatch(of: /^public (?:struct|enum|final class|actor) (\w+)/)
            return match.map { String($0.1) }
        }
    }

    @Test func everyTypeIsToldApartByTheClients() throws {
        let generation = try JSONDecoder().decode(
            Pipevideo.Generation.self, from: Data(#"{"id":"gen_1","status":"queued"}"#.utf8))
        #expect(Own.status(of: generation) == .queued)
        let text = try SurfaceTests.sources().flatMap(\.lines).joined(separator: "\n")
        let types = try Self.types().filter { $0 != "Pipevideo" }
        #expect(types.count > 30)
        for type in types { #expect(text.contains("    public typealias \(type) = "), "\(type)") }
    }

    /// An app that shows videos imports these modules too: a name that both have is ambiguous.
    @Test func noTypeIsCalledAsSwiftUIsAre() throws {
        let taken: Set = [
            "Action", "Alignment", "Animation", "App", "Button", "Color", "Commands", "Edge",
            "Environment", "Event", "Font", "Image", "Label", "Link", "List", "Menu", "Observable",
            "Path", "Picker", "Player", "Progress", "Publisher", "Query", "Scene", "Section",
            "State", "Subject", "Table", "Text", "Toggle", "Transaction", "Video", "View", "Window",
        ]
        #expect(try taken.isDisjoint(with: Self.types()))
    }
}

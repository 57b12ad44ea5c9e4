import Foundation
import Pipevideo
import Testing

/// The names of this package's types beside those of an app and of other modules.
@Suite struct NameTests {
    /// Types of an app that have the names of types of this package.
    private enum AppTypes {
        struct Generation {}
        struct Status {}

        /// It compiles because no type has the module's name, which would hide the module.
        static func status(of generation: Pipevideo.Generation) -> Pipevideo.Status {
            generation.status
        }
    }

    @Test func moduleNameQualifiesEveryType() throws {
        let generation = try JSONDecoder().decode(
            Pipevideo.Generation.self, from: Data(#"{"id":"gen_1","status":"queued"}"#.utf8))
        #expect(AppTypes.status(of: generation) == .queued)
        let types = try Self.types()
        #expect(types.count > 30 && !types.contains("Pipevideo"))
    }

    /// An app that shows videos imports these modules too, and a name that both have is ambiguous.
    @Test func noTypeHasANameOfSwiftUI() throws {
        let swiftUI: Set = [
            "Action", "Alignment", "Animation", "App", "Button", "Color", "Commands", "Edge",
            "Environment", "Event", "Font", "Image", "Label", "Link", "List", "Menu", "Observable",
            "Path", "Picker", "Player", "Progress", "Publisher", "Query", "Scene", "Section",
            "State", "Subject", "Table", "Text", "Toggle", "Transaction", "Video", "View", "Window",
        ]
        #expect(try swiftUI.isDisjoint(with: Self.types()))
    }

    private static func types() throws -> [String] {
        try SurfaceTests.sources().flatMap(\.lines).compactMap { line in
            let match = line.firstMatch(of: /^public (?:struct|enum|final class|actor) (\w+)/)
            return match.map { String($0.1) }
        }
    }
}

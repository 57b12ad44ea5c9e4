import Foundation
import Pipevideo
@_exported import PipevideoTesting

/// Files of the repository that the tests read.
enum Repository {
    static let root: URL = {
        var folder = URL(filePath: #filePath).deletingLastPathComponent()
        let marker = "conformance/surface.json"
        while !FileManager.default.fileExists(atPath: folder.appending(path: marker).path) {
            precondition(folder.path != "/", "the tests are not inside the repository")
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    static func data(_ path: String) throws -> Data {
        try Data(contentsOf: root.appending(path: path))
    }

    static func json(_ path: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: data(path))
    }
}

/// A model that the emulator has.
let kimi = "moonshotai/kimi-k2.5"

/// A test's own error, with a text.
struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension Emulator {
    /// The number of requests that have arrived.
    func requestCount() async throws -> Int {
        try await requests().count
    }
}

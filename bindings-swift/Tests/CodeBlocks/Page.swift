// What the code blocks of the documents take for granted: what an app has of its own.

import Foundation
import Pipevideo
import PipevideoTesting

let client = try! PipevideoClient()
let session = Session()
let key = "pv_example"
let model = "moonshotai/kimi-k2.5"
let prompt = "A cat walking on a beach"
let photo = URL(filePath: "cat.png")
let address = "https://example.com/cat.mp4"
let request = GenerationRequest(model: model, prompt: prompt)
let body = Data()
let handle = FileHandle.standardOutput
let headers = ["svix-id": "msg_1"]
nonisolated(unsafe) var id = "gen_1"
nonisolated(unsafe) var generation = Generation(id: "gen_1")
nonisolated(unsafe) var candidates = Candidates([], coversCreate: true)

func store(_ id: String?) {}
func save(_ event: WebhookEvent) {}
func show(_ url: URL?) {}

struct Session: Sendable {
    func token() async throws -> String { "token" }
}

final class Studio: Sendable {
    let message = "Try another prompt."

    init(client: any VideoGenerating) {}
    func makeVideo(_ prompt: String) async {}
}

/// The code of each block is a function of this, so that it can change itself.
@MainActor
final class Page {
    var progress = 0.0
}

#if os(Linux)
    extension URL {
        /// Apple's.
        static var documentsDirectory: URL { FileManager.default.temporaryDirectory }
    }
#endif

import Foundation
import Pipevideo

/// A file to which the video of a scenario's generation is written.
struct VideoFile {
    let client: PipevideoClient
    let generation: Generation?
    let id: String
    let maxBytes: Int?
    let options: CallOptions
    let file: URL

    func writeAtOnce() async throws {
        let responses = client.responses
        let data =
            if let generation {
                try await responses.data(generation, maxBytes: maxBytes, options: options)
            } else {
                try await responses.data(id, maxBytes: maxBytes, options: options)
            }
        try data.write(to: file)
    }

    /// Writes so many chunks as they arrive.
    func write(chunks: Int) async throws {
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        defer { try? handle.close() }
        let responses = client.responses
        let stream =
            generation.map { responses.stream($0, maxBytes: maxBytes, options: options) }
            ?? responses.stream(id, maxBytes: maxBytes, options: options)
        var count = 0
        for try await chunk in stream {
            try handle.write(contentsOf: chunk)
            count += 1
            if count == chunks { break }
        }
    }
}

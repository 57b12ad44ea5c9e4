// Makes a video from a prompt, shows the progress, and handles errors.
//
//     swift run Quickstart "A cat walking on a beach at sunset"
//
// Needs a key in PIPEVIDEO_API_KEY, or the emulator: see the README of the Swift package.

import Foundation
import Pipevideo

@main
struct Quickstart {
    static func main() async {
        let prompt = CommandLine.arguments.dropFirst().first ?? "A cat walking on a beach at sunset"
        do {
            let client = try PipevideoClient()
            let generation = try await client.generate(
                model: "moonshotai/kimi-k2.5",
                input: prompt,
                onUpdate: { update in
                    // The first update comes at once. Its id is all that is needed to continue with
                    // the generation later: store it in a program that may be interrupted.
                    log("\(update.generation.id) is \(update.generation.status)")
                }
            )
            let file = try await client.responses.download(
                generation, to: URL(filePath: "generation.mp4")
            )
            if let cost = generation.usage?.costUSD { log("cost: $\(cost)") }
            print(file.path)
        } catch {
            log("error: \(error)")
            exit(1)
        }
    }

    static func log(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}

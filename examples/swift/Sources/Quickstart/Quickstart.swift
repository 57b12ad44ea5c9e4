// A prompt becomes a video.
//
//     swift run Quickstart "A cat walking on a beach at sunset"
//
// It needs a key in PIPEVIDEO_API_KEY; or the emulator, whose README says how to point it there.

import Foundation
import Pipevideo

@main
struct Quickstart {
    static func main() async {
        let prompt = CommandLine.arguments.dropFirst().first ?? "A cat walking on a beach at sunset"
        do {
            let client = try Pipevideo()
            let generation = try await client.generate(
                model: "moonshotai/kimi-k2.5",
                input: prompt,
                onUpdate: { update in
                    // The first update comes at once, with the id: all that is needed to go on with it.
                    say("\(update.generation.id) is \(update.generation.status)")
                }
            )
            let file = try await client.responses.download(
                generation, to: URL(filePath: "generation.mp4")
            )
            if let cost = generation.usage?.costUSD { say("cost: $\(cost)") }
            print(file.path)
        } catch {
            say("error: \(error)")
            exit(1)
        }
    }

    static func say(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}

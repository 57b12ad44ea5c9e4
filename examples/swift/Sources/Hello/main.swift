// Makes a video from a prompt:  swift run Hello
// Needs PIPEVIDEO_API_KEY, or the emulator: see the README of the Swift package.
import Foundation
import Pipevideo

let client = try PipevideoClient()
let generation = try await client.generate(
    model: "moonshotai/kimi-k2.5",
    input: "A cat walking on a beach at sunset"
)
try await client.responses.download(generation, to: URL(filePath: "hello.mp4"))
print("hello.mp4")

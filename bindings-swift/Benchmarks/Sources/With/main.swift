// A program with the package, to compare its size with the program Without.
import Foundation
import Pipevideo

print(URL(filePath: CommandLine.arguments[0]).lastPathComponent)
if CommandLine.arguments.count > 1 {
    let client = try PipevideoClient()
    let generation = try await client.generate(model: "m", input: .text(CommandLine.arguments[1]))
    try await client.responses.download(generation, to: URL(filePath: "generation.mp4"))
}

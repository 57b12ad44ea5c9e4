// A program without the package, to compare its size with the program With.
import Foundation

print(URL(filePath: CommandLine.arguments[0]).lastPathComponent)

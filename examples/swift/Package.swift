// swift-tools-version: 6.0
import PackageDescription

let pipevideo: Target.Dependency = .product(name: "Pipevideo", package: "bindings-swift")

let testing: Target.Dependency = .product(name: "PipevideoTesting", package: "bindings-swift")
let ui: Target.Dependency = .product(name: "PipevideoUI", package: "bindings-swift")

let package = Package(
    name: "PipevideoExamples",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "VideoStudio", targets: ["VideoStudio"])],
    dependencies: [.package(path: "../../bindings-swift")],
    targets: [
        .executableTarget(name: "Hello", dependencies: [pipevideo]),
        .executableTarget(name: "Quickstart", dependencies: [pipevideo]),
        .target(name: "WebhookFunction", dependencies: [pipevideo]),
        .target(name: "VideoStudio", dependencies: [pipevideo, ui]),
        .testTarget(
            name: "ExampleTests",
            dependencies: [
                "Hello", "Quickstart", "WebhookFunction", "VideoStudio", pipevideo, testing, ui,
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)

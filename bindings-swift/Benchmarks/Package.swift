// swift-tools-version: 6.0
import PackageDescription

let pipevideo: Target.Dependency = .product(name: "Pipevideo", package: "bindings-swift")

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v13)],
    dependencies: [.package(path: "..")],
    targets: [
        .executableTarget(name: "Lifecycle", dependencies: [pipevideo]),
        .executableTarget(name: "Waits", dependencies: [pipevideo, "CMalloc"]),
        .systemLibrary(name: "CMalloc"),
        .executableTarget(name: "With", dependencies: [pipevideo]),
        .executableTarget(name: "Without"),
    ],
    swiftLanguageModes: [.v6]
)

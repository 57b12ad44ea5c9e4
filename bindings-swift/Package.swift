// swift-tools-version: 6.0
import PackageDescription

// The native half. This asks about the machine that builds: an app for iOS is built on macOS.
#if os(Linux)
    // It is in `lib/`, where scripts/build-library.sh puts it, or installed and known to pkg-config:
    // a dependency by version may have no unsafe flags.
    let installed = Context.environment["PIPEVIDEO_PKG_CONFIG"] != nil
    let native: Target = .systemLibrary(
        name: "PipevideoC", pkgConfig: installed ? "pipevideo" : nil)
    let linker: [LinkerSetting] =
        installed ? [] : [.unsafeFlags(["-L\(Context.packageDirectory)/lib"])]
#else
    // scripts/build-xcframework.sh makes it; scripts/release.sh puts a URL and a checksum here.
    let native: Target = .binaryTarget(name: "PipevideoC", path: "lib/Pipevideo.xcframework")
    let linker: [LinkerSetting] = [
        .linkedFramework("Security"), .linkedFramework("SystemConfiguration"),
    ]
#endif

let package = Package(
    name: "Pipevideo",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "Pipevideo", targets: ["Pipevideo"])],
    targets: [
        native,
        // Written by uniffi-bindgen-swift, which does not write Swift 6.
        .target(
            name: "PipevideoFFI",
            dependencies: ["PipevideoC"],
            swiftSettings: [.swiftLanguageMode(.v5)],
            linkerSettings: linker
        ),
        .target(
            name: "Pipevideo",
            dependencies: ["PipevideoFFI"],
            resources: [.copy("PrivacyInfo.xcprivacy")]
        ),
        .testTarget(name: "PipevideoTests", dependencies: ["Pipevideo"]),
    ],
    swiftLanguageModes: [.v6]
)

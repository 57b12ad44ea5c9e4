#!/usr/bin/env bash
# Builds lib/Pipevideo.xcframework for iOS, the iOS simulator and macOS.
#
# NOT RUN by this repository's tests, which run on Linux: it needs a Mac with Xcode 16 and Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(uname -s)" = Darwin ] || { echo "$0: a Mac with Xcode is required" >&2; exit 1; }

target=${CARGO_TARGET_DIR:-../target}
export IPHONEOS_DEPLOYMENT_TARGET=16.0 MACOSX_DEPLOYMENT_TARGET=13.0
triples=(
  aarch64-apple-ios
  aarch64-apple-ios-sim x86_64-apple-ios
  aarch64-apple-darwin x86_64-apple-darwin
)
for triple in "${triples[@]}"; do
  rustup target add "$triple"
  cargo build --release --locked -p pipevideo-swift --lib --target "$triple"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{simulator,macos,headers} lib
library() { echo "$target/$1/release/libpipevideo_swift.a"; }
# The simulator and macOS have one file each for both architectures.
lipo -create "$(library aarch64-apple-ios-sim)" "$(library x86_64-apple-ios)" \
  -output "$work/simulator/libpipevideo_swift.a"
lipo -create "$(library aarch64-apple-darwin)" "$(library x86_64-apple-darwin)" \
  -output "$work/macos/libpipevideo_swift.a"

# In a folder of their own, because Xcode copies the headers of all static frameworks of an app into one.
mkdir "$work/headers/PipevideoC"
cp Sources/PipevideoC/*.h "$work/headers/PipevideoC/"
cp Sources/PipevideoC/module.modulemap "$work/headers/PipevideoC/"

rm -rf lib/Pipevideo.xcframework
xcodebuild -create-xcframework \
  -library "$(library aarch64-apple-ios)" -headers "$work/headers" \
  -library "$work/simulator/libpipevideo_swift.a" -headers "$work/headers" \
  -library "$work/macos/libpipevideo_swift.a" -headers "$work/headers" \
  -output lib/Pipevideo.xcframework
echo "built lib/Pipevideo.xcframework; next: swift build, swift test, or open Package.swift in Xcode"

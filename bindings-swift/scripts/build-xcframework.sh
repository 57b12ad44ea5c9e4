#!/usr/bin/env bash
# Builds lib/Pipevideo.xcframework for iOS, the iOS simulator and macOS. There are no slices for Catalyst,
# visionOS, tvOS and watchOS: for the last three Rust's standard library has to be built by a nightly compiler.
#
# PIPEVIDEO_CODESIGN_IDENTITY signs it, if it is set.
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
# One object, in which all symbols but those that Swift calls are local, as in build-library.sh: an app can
# have other Rust libraries beside it.
grep -ohE '\b(uniffi|ffi)_[A-Za-z0-9_]+\(' Sources/PipevideoC/*.h | tr -d '(' | sort -u |
  sed 's/^/_/' >"$work/calls"
for triple in "${triples[@]}"; do
  mkdir "$work/$triple"
  architecture=${triple%%-*}
  ld -r -arch "${architecture/aarch64/arm64}" -exported_symbols_list "$work/calls" -all_load \
    "$target/$triple/release/libpipevideo_swift.a" -o "$work/$triple/pipevideo.o"
  libtool -static -o "$work/$triple/libpipevideo_swift.a" "$work/$triple/pipevideo.o"
done
library() { echo "$work/$1/libpipevideo_swift.a"; }
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
if [ -n "${PIPEVIDEO_CODESIGN_IDENTITY:-}" ]; then
  codesign --timestamp --sign "$PIPEVIDEO_CODESIGN_IDENTITY" lib/Pipevideo.xcframework
fi
echo "built lib/Pipevideo.xcframework; next: swift build, swift test, or open Package.swift in Xcode"

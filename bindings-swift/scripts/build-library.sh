#!/usr/bin/env bash
# Builds the native library for this machine and puts it where Package.swift expects it on Linux:
# lib/libpipevideo_swift.a. Needs Rust. Given the path of a library, it puts that there. After that, any
# package can depend on this one by path. A package that depends on a release finds the library if
# PKG_CONFIG_PATH is set to lib/; this script is then rust/bindings-swift/scripts/build-library.sh in the
# checkout of the release.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
  cargo build --release --locked -p pipevideo-swift --lib
  set -- "${CARGO_TARGET_DIR:-../target}/release/libpipevideo_swift.a"
fi
mkdir -p lib
if ! cmp -s "$1" lib/libpipevideo_swift.a; then
  cp "$1" lib/
  # SwiftPM does not notice that the library has changed, but it links again if a source is newer.
  if [ -d Sources ]; then touch Sources/PipevideoFFI/*.swift; fi
fi

version=$(sed -n '/^\[workspace.package\]/,/^version/s/^version = "\(.*\)"/\1/p' ../Cargo.toml)
cat >lib/pipevideo.pc <<EOF
Name: pipevideo
Description: the native library of the Swift package Pipevideo
Version: $version
Libs: -L$PWD/lib -lpipevideo_swift
EOF
echo "built $PWD/lib; a package that depends on a release needs: export PKG_CONFIG_PATH=$PWD/lib"

#!/usr/bin/env bash
# Builds the native half for this machine and puts it where Package.swift looks for it on Linux:
# lib/libpipevideo_swift.a. Needs Rust. Once it is there, any package may depend on this one by path;
# one that depends on a release finds it with PKG_CONFIG_PATH set to that folder.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-../target}
cargo build --release --locked -p pipevideo-swift --lib
mkdir -p lib
if ! cmp -s "$target/release/libpipevideo_swift.a" lib/libpipevideo_swift.a; then
  cp "$target/release/libpipevideo_swift.a" lib/
  # SwiftPM does not see that a library is another one: it links again when a source is newer.
  touch Sources/PipevideoFFI/*.swift
fi

version=$(sed -n '/^\[workspace.package\]/,/^version/s/^version = "\(.*\)"/\1/p' ../Cargo.toml)
cat >lib/pipevideo.pc <<EOF
Name: pipevideo
Description: the native half of the Swift package Pipevideo
Version: $version
Libs: -L$PWD/lib -lpipevideo_swift
EOF

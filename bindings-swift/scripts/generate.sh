#!/usr/bin/env bash
# Writes the Swift side of the border from the native library.
#
#   generate.sh          writes Sources/PipevideoFFI and Sources/PipevideoC
#   generate.sh --check  fails if what is there is not what would be written
#
# Needs Rust, and lib/libpipevideo_swift.a (build-library.sh). What is written is checked in, since
# apps build the package without Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-../target}
cargo build --locked -p pipevideo-swift --features bindgen --bin uniffi-bindgen-swift
written=$(mktemp -d)
trap 'rm -rf "$written"' EXIT
"$target/debug/uniffi-bindgen-swift" --swift-sources --headers lib/libpipevideo_swift.a "$written"

for file in "$written"/*; do
  case $file in
    *.swift) place=Sources/PipevideoFFI ;;
    *) place=Sources/PipevideoC ;;
  esac
  # Lines that end in spaces are no lines that git likes.
  name=$(basename "$file")
  sed 's/[[:space:]]*$//' "$file" >"$file.trimmed"
  if [ "${1:-}" = --check ]; then
    diff -u "$place/$name" "$file.trimmed" ||
      { echo "$place is not what the library says: run bindings-swift/scripts/generate.sh" >&2; exit 1; }
  else
    cp "$file.trimmed" "$place/$name"
  fi
done

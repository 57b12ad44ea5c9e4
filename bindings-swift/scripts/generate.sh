#!/usr/bin/env bash
# Generates the Swift bindings from the native library.
#
#   generate.sh          writes Sources/PipevideoFFI and Sources/PipevideoC
#   generate.sh --check  fails if they are not up to date
#
# Needs Rust. UNIFFI_BINDGEN is the path of the generator if it is built already, beside the library. The
# generated files are checked in, because apps build the package without Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${UNIFFI_BINDGEN:-}" ]; then
  cargo build --locked -p pipevideo-swift --features bindgen --lib --bin uniffi-bindgen-swift
  UNIFFI_BINDGEN=${CARGO_TARGET_DIR:-../target}/debug/uniffi-bindgen-swift
fi
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
"$UNIFFI_BINDGEN" --swift-sources --headers "$(dirname "$UNIFFI_BINDGEN")/libpipevideo_swift.a" "$generated"

for file in "$generated"/*; do
  case $file in
    *.swift) folder=Sources/PipevideoFFI ;;
    *) folder=Sources/PipevideoC ;;
  esac
  # UniFFI writes lines that end in spaces, which `git diff --check` reports.
  name=$(basename "$file")
  sed 's/[[:space:]]*$//' "$file" >"$file.trimmed"
  if [ "${1:-}" = --check ]; then
    diff -u "$folder/$name" "$file.trimmed" ||
      { echo "$folder/$name is not up to date: run bindings-swift/scripts/generate.sh" >&2; exit 1; }
  else
    cp "$file.trimmed" "$folder/$name"
  fi
done

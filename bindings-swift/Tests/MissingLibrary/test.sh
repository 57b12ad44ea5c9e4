#!/usr/bin/env bash
# Without the native library, or with one of another version, SwiftPM says which file is missing.
#
#   test.sh SWIFT    the command `swift`
set -euo pipefail
swift=$1
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/Sources" "$work/lib"
cp Package.swift "$work"
touch "$work/lib/libpipevideo-0.0.1-$(uname -m).a"
if "$swift" package --package-path "$work" dump-package >"$work/output" 2>&1; then
  echo "the package is read without its library" >&2
  exit 1
fi
grep -x "Pipevideo: $work/lib/libpipevideo-.*-$(uname -m).a is missing. Build it with scripts/build-library.sh." \
  "$work/output" || { cat "$work/output" >&2; exit 1; }
# With it, the same package is read.
version=$(sed -n 's/^let version = "\(.*\)"/\1/p' Package.swift)
touch "$work/lib/libpipevideo-$version-$(uname -m).a"
"$swift" package --package-path "$work" dump-package >/dev/null

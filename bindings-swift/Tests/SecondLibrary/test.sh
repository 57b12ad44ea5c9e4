#!/usr/bin/env bash
# Links a program with the native library and a second Rust library beside it.
#
#   test.sh LIBRARY    what cargo has built; build-library.sh has put it into lib/
#
# All members of both archives are linked, as with -ObjC or -all_load in an app. The library as cargo builds
# it must fail that: else this would test nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rustc --edition 2024 --crate-type staticlib -C opt-level=1 -o "$work/libsecond.a" "$here/second.rs"
link() {
  cc "$here/main.c" -o "$work/program" -Wl,--whole-archive "$1" "$work/libsecond.a" \
    -Wl,--no-whole-archive -lpthread -ldl -lm
}
if link "$1" 2>"$work/errors"; then
  echo "two libraries with all their symbols link, so this test finds no conflict" >&2
  exit 1
fi
grep -q 'multiple definition' "$work/errors" || { cat "$work/errors" >&2; exit 1; }

link "$(ls "$here"/../../lib/libpipevideo-*-"$(uname -m)".a)"
"$work/program"

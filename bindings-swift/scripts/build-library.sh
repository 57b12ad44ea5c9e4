#!/usr/bin/env bash
# Builds the native library for this machine and puts it where Package.swift expects it on Linux:
# lib/libpipevideo-VERSION-ARCHITECTURE.a. After that, any package can depend on this one by path.
#
#   build-library.sh            needs Rust and binutils
#   build-library.sh LIBRARY    takes what cargo has built, such as target/debug/libpipevideo_swift.a
#   build-library.sh LIBRARY ARCHITECTURE PREFIX    the same for another machine, with the binutils of PREFIX
#
# The version is in the name, so that the package never links a library of another one. The library is one
# object, in which all symbols but those that Swift calls are local: a program can have other Rust libraries
# beside it, which define the same functions of Rust's standard library.
set -euo pipefail
[ $# -eq 0 ] || set -- "$(realpath "$1")" "${@:2}"
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
  cargo build --release --locked -p pipevideo-swift --lib
  set -- "${CARGO_TARGET_DIR:-../target}/release/libpipevideo_swift.a"
fi
architecture=${2:-$(uname -m)} prefix=${3:-}
version=$(sed -n '/^\[workspace.package\]/,/^version/s/^version = "\(.*\)"/\1/p' ../Cargo.toml)
library=lib/libpipevideo-$version-$architecture.a

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The functions that Swift calls are declared in the headers.
grep -ohE '\b(uniffi|ffi)_\w+\(' Sources/PipevideoC/*.h | tr -d '(' | sort -u >"$work/calls"
sed 's/^/--undefined=/' "$work/calls" >"$work/roots"
# Without groups, of which the linker would keep one for both libraries, with symbols that are local here.
# Without --gc-sections too, with which binutils 2.40 makes strong references of weak ones.
"${prefix}ld" -r --force-group-allocation "@$work/roots" -o "$work/all.o" "$1"
# Joined bitcode is no bitcode, and LLVM's plugin of binutils aborts when it reads it.
"${prefix}objcopy" --strip-debug --remove-section=.llvmbc --remove-section=.llvmcmd \
  --keep-global-symbols="$work/calls" "$work/all.o" "$work/pipevideo.o"
"${prefix}ar" rcsD "$work/pipevideo.a" "$work/pipevideo.o"
mkdir -p lib
if ! cmp -s "$work/pipevideo.a" "$library"; then
  rm -f lib/libpipevideo-*-"$architecture.a"
  cp "$work/pipevideo.a" "$library"
  # SwiftPM does not notice that the library has changed, but it links again if a source is newer.
  touch Sources/PipevideoFFI/*.swift
fi
echo "built $PWD/$library"

#!/usr/bin/env bash
# Builds Node's native module for one target and puts it into the folder of its npm package.
#
#   node-module.sh TARGET
#
# TARGET: a Rust target such as aarch64-apple-darwin. Needs Rust with the target and, for Linux,
# cargo-zigbuild and zig (.github/tools/requirements.txt).
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
target=$1

case $target in
  x86_64-*) cpu=x64 ;;
  aarch64-*) cpu=arm64 ;;
  *) echo "$0: there is no npm package for $target" >&2; exit 2 ;;
esac
build=build triple=$target library=libpipevideo_node.so
case $target in
  # Node's own binaries require glibc 2.28; 2.17 is the oldest that Rust supports.
  *-linux-gnu) platform=linux-$cpu-gnu build=zigbuild triple=$target.2.17 ;;
  # A module that Node loads has to share Node's C library.
  *-linux-musl) platform=linux-$cpu-musl build=zigbuild
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=-crt-static" ;;
  *-apple-darwin) platform=darwin-$cpu library=libpipevideo_node.dylib ;;
  *-windows-msvc) platform=win32-$cpu-msvc library=pipevideo_node.dll ;;
  *) echo "$0: there is no npm package for $target" >&2; exit 2 ;;
esac

cargo "$build" --release --locked -p pipevideo-node --target "$triple"
built=${CARGO_TARGET_DIR:-target}/$target/release/$library
module=bindings-node/npm/$platform/pipevideo.$platform.node
# Not overwritten in place: a running program may still have the old one mapped into its memory.
rm -f "$module"
cp "$built" "$module"
echo "$module"
